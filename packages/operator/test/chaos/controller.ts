import { EventStoreError, type EventStore } from "@rynxs/event-store";
import type { Counts } from "./counts.js";
import type { Random } from "./random.js";
import { pause } from "./actors.js";

/**
 * Another program that writes into the same log: decisions, linked to the event that caused them, some of them about the very
 * aggregates that the operator writes of. It keeps no order with the operator and asks nobody.
 */
export async function decide(
  store: EventStore,
  stage: { random: Random; counts: Counts; over: AbortSignal },
): Promise<void> {
  const { random: all, counts, over } = stage;
  const random = all.fork("controller");
  while (!over.aborted) {
    await pause(random.between(100, 1_500), over);
    try {
      const { seq, hash } = await store.head();
      if (seq < 0) continue;
      await store.append({
        type: random.pick(["DecisionTaken", "AgentObserved", "WorkspaceDeleted"]),
        aggregateId: `${random.pick(["universe", "lab"])}/agent-${String(random.between(0, 9))}`,
        payload: {
          decision: random.pick(["scale", "retire", "keep"]),
          trigger_event_seq: seq,
          trigger_event_hash: hash,
        },
        meta: { source: "controller", writer_id: "chaos-controller" },
      });
      counts.add("controller: decisions");
    } catch (error) {
      if (!(error instanceof EventStoreError)) throw error;
      counts.add(`controller: ${error.code}`);
    }
  }
}
