// The events that every contender writes: the same ones, in the shape of what an observed Kubernetes agent leaves in a
// log. Their canonical text has about 370 bytes. Nothing is random, so that two runs write the same.

const IMAGES = ["agent-runtime:1.4.2", "agent-runtime:1.5.0", "planner:0.9.7", "browser-tool:2.1.3"];
const TEAMS = ["search", "billing", "support", "research", "ops"];

/** 16 hex digits that look like a digest; a few multiplications, so that making events costs next to nothing. */
function digest(i) {
  let text = "";
  for (let k = 1; k <= 2; k++) text += (Math.imul(i + k * 7919, 2654435761) >>> 0).toString(16).padStart(8, "0");
  return text;
}

/** @param {number} i @param {number} [aggregates] how many aggregates take turns */
export function eventAt(i, aggregates = 1000) {
  const agent = String(i % aggregates).padStart(5, "0");
  return {
    type: "AgentObserved",
    aggregateId: `universe/agent-${agent}`,
    ts: 1767225600000 + i * 37,
    payload: {
      name: `agent-${agent}`,
      namespace: "universe",
      labels: { team: TEAMS[i % TEAMS.length] },
      annotations: {},
      spec: { image: IMAGES[i % IMAGES.length], replicas: 1 + (i % 4) },
      spec_hash: digest(i),
      generation: 1 + Math.floor(i / aggregates),
    },
    meta: { source: "kubernetes", resource: "agents", writer_id: "op-7d9f", fencing_token: 12 },
  };
}

/** @returns {ReturnType<typeof eventAt>[]} */
export function eventsFrom(first, count, aggregates = 1000) {
  return Array.from({ length: count }, (_, k) => eventAt(first + k, aggregates));
}
