import { canonicalState, parseJson, type JsonObject, type RecordedEvent } from "@rynxs/event-store";
import { describe, expect, it } from "vitest";
import type { KubeObject } from "../../src/kube/port.js";
import { recordedMessage } from "../../src/record/recorded-condition.js";
import { checkEvidence, putToTheTest, unsettled, wrongStatuses, type Evidence } from "./checker.js";
import { keyOfAggregate, payloadOf, StateKeeper } from "./histories.js";
import { processVerdicts } from "./processes.js";

const KEY = "universe/x";

function agent(role: string, generation: number): KubeObject {
  return { metadata: { name: "x", namespace: "universe", generation }, spec: { role } };
}

/** A log of the operator's, written by hand. Nothing of it is verified here: that is the store's. */
class Log {
  readonly events: RecordedEvent[] = [];
  epoch = 0;
  writer = "";

  add(type: string, aggregateId: string, payload: JsonObject, meta: JsonObject): this {
    const seq = this.events.length;
    const eventHash = String(seq).padStart(64, "0");
    this.events.push({ seq, type, aggregateId, payload, meta, ts: 0, hashVersion: 1, eventHash, prevHash: eventHash });
    return this;
  }

  elects(epoch: number, writer: string): this {
    [this.epoch, this.writer] = [epoch, writer];
    return this.add(
      "LeaderElected",
      "rynxs/lease",
      { epoch, holder: writer },
      this.#meta("leases.coordination.k8s.io"),
    );
  }

  sees(object: KubeObject): this {
    return this.add("AgentObserved", KEY, payload(object), this.#meta("agents"));
  }

  deletes(object: KubeObject): this {
    return this.add("AgentDeleted", KEY, payload(object), this.#meta("agents"));
  }

  #meta(resource: string): JsonObject {
    return { source: "kubernetes", resource, writer_id: this.writer, fencing_token: this.epoch };
  }
}

function payload(object: KubeObject): JsonObject {
  return parseJson(payloadOf(object)) as JsonObject;
}

const [a, b, c] = [agent("a", 1), agent("b", 2), agent("c", 3)];

/** `states`: what the API server had, one after the other; undefined: nothing. */
function evidence(log: Log, ...states: readonly (KubeObject | undefined)[]): Evidence {
  const keeper = new StateKeeper();
  for (const state of states) keeper.note(KEY, state);
  const last = states.at(-1);
  return { events: log.events, histories: keeper.histories, finals: new Map(last ? [[KEY, last]] : []) };
}

/** Names of the verdicts that are broken. */
function broken(of: Evidence): string[] {
  return checkEvidence(of)
    .filter(({ violations }) => violations.length > 0)
    .map(({ name }) => name);
}

const led = (): Log => new Log().elects(1, "p");

describe("the checker of chaos runs", () => {
  it("takes a log that says each state, once, in order, over a deletion and a change of leaders", () => {
    const log = led().sees(a).sees(b).deletes(b).elects(2, "q").sees(a).sees(c);
    expect(broken(evidence(log, a, b, undefined, a, c))).toEqual([]);
  });

  it("takes a log that left out states in between, and one that says the same again after a deletion", () => {
    expect(broken(evidence(led().sees(a).sees(c), a, b, c))).toEqual([]);
    expect(broken(evidence(led().sees(a).deletes(a).sees(a), a, undefined, a))).toEqual([]);
    expect(broken(evidence(led().sees(a).sees(b).sees(a), a, b, a))).toEqual([]);
  });

  it("does not take what others write for the operator's, whatever they call it", () => {
    const log = led().sees(a).add("AgentObserved", KEY, { name: "x" }, { source: "controller" });
    expect(broken(evidence(log, a))).toEqual([]);
  });

  it.each([
    ["a final state that was missed", led().sees(a), [a, b]],
    ["an object that was never recorded", led(), [a]],
    ["a deletion that was missed", led().sees(a), [a, undefined]],
  ])("finds %s", (_, log, states) => {
    expect(broken(evidence(log, ...states))).toEqual(["final states"]);
  });

  it("finds a deletion of what is there", () => {
    expect(broken(evidence(led().sees(a).deletes(a), a))).toEqual(["final states", "order of states"]);
  });

  it("finds a state that was recorded twice, by one leader or by two", () => {
    expect(broken(evidence(led().sees(a).sees(a), a))).toEqual(["no duplicates", "order of states"]);
    expect(broken(evidence(led().sees(a).elects(2, "q").sees(a), a))).toEqual(["no duplicates", "order of states"]);
    // Even when the API server had it twice: made anew just as it was.
    expect(broken(evidence(led().sees(a).sees(a), a, undefined, a))).toEqual(["no duplicates"]);
  });

  it("finds a deletion of nothing, one that is repeated, and one that says other than what was recorded", () => {
    expect(broken(evidence(led().deletes(a), a, undefined))).toEqual(["no duplicates"]);
    expect(broken(evidence(led().sees(a).deletes(a).deletes(a), a, undefined))).toContain("no duplicates");
    expect(broken(evidence(led().sees(a).deletes(b), a, b, undefined))).toEqual(["no duplicates"]);
  });

  it("finds states in another order, and history that is told as news after a fail-over", () => {
    expect(broken(evidence(led().sees(b).sees(a).sees(c), a, b, c))).toEqual(["order of states"]);
    const replayed = led().sees(a).sees(b).elects(2, "q").sees(a).sees(b);
    expect(broken(evidence(replayed, a, b))).toEqual(["order of states"]);
  });

  it("finds a state that never was", () => {
    expect(broken(evidence(led().sees(a).sees(agent("z", 2)).sees(b), a, b))).toEqual(["order of states"]);
  });

  it("finds epochs that interleave, are left out or come twice", () => {
    const deposed = led().sees(a).elects(2, "q");
    [deposed.epoch, deposed.writer] = [1, "p"];
    expect(broken(evidence(deposed.sees(b), a, b))).toEqual(["epochs"]);
    expect(broken(evidence(led().sees(a).elects(3, "q").sees(b), a, b))).toEqual(["epochs"]);
    expect(broken(evidence(led().sees(a).elects(1, "q").sees(b), a, b))).toEqual(["epochs"]);
    const unled = new Log();
    unled.epoch = 1;
    expect(broken(evidence(unled.sees(a), a))).toEqual(["epochs"]);
  });

  it("finds an event with the leader's epoch that another process wrote", () => {
    const log = led();
    log.writer = "q";
    expect(broken(evidence(log.sees(a), a))).toEqual(["epochs"]);
  });

  it("finds statuses that do not say where the object's last event is", () => {
    const log = led().sees(a).sees(b);
    const at = (seq: number) => {
      const hash = log.events[seq]?.eventHash ?? "";
      const condition = { type: "Recorded", message: recordedMessage(seq, hash) };
      return { recordedSeq: seq, recordedHash: hash, conditions: [{ type: "Ready" }, condition] };
    };
    const with_ = (status: unknown) => wrongStatuses(evidence(log, a, { ...b, status }));
    expect(with_(at(2))).toEqual([]);
    expect(with_(at(1))).toHaveLength(1);
    expect(with_({ ...at(2), recordedHash: "0" })).toHaveLength(1);
    expect(with_({ ...at(2), conditions: [] })).toHaveLength(1);
    expect(with_(undefined)).toHaveLength(1);
  });

  it("finds a run that put nothing to the test", () => {
    const full = led().sees(a).sees(b).elects(2, "q").add("Decision", KEY, {}, { source: "controller" });
    expect(putToTheTest(evidence(full, a, b))).toEqual([]);
    expect(putToTheTest(evidence(led().sees(a).sees(b), a, b))).toHaveLength(2);
    const manyStates = Array.from({ length: 10 }, (_, i) => agent(`s${String(i)}`, i));
    expect(putToTheTest(evidence(full, a, b, ...manyStates))).toHaveLength(1);
  });

  it("knows what is not recorded yet", () => {
    const of = evidence(led(), a, b);
    const digest = of.histories.get(KEY)?.at(-1) ?? "";
    expect(unsettled(new Map(), of)).toEqual([KEY]);
    expect(unsettled(new Map([[keyOfAggregate(KEY), of.histories.get(KEY)?.[0] ?? ""]]), of)).toEqual([KEY]);
    expect(unsettled(new Map([[keyOfAggregate(KEY), digest]]), of)).toEqual([]);
    expect(unsettled(new Map(), evidence(led(), a, undefined))).toEqual([]);
  });

  it("finds processes that ended by themselves or badly, said what they should not, or grew", () => {
    const fine = { name: "r", endings: [], oddities: [], peakRss: 1e8 };
    const ended = (
      by: "SIGTERM" | "SIGKILL" | "nobody",
      code: number | null,
      signal: NodeJS.Signals | null = null,
      begun = true,
    ) => ({
      ...fine,
      endings: [{ process: "r.1", code, signal, by, begun }],
    });
    const bad = (replica: Parameters<typeof processVerdicts>[0][number]) =>
      processVerdicts([replica]).flatMap(({ name, violations }) => (violations.length > 0 ? [name] : []));
    expect(bad(ended("SIGTERM", 0))).toEqual([]);
    expect(bad(ended("SIGKILL", null, "SIGKILL"))).toEqual([]);
    expect(bad(ended("SIGTERM", 1))).toEqual(["processes end well"]);
    expect(bad(ended("SIGTERM", null, "SIGTERM"))).toEqual(["processes end well"]);
    expect(bad(ended("SIGTERM", null, "SIGTERM", false))).toEqual([]);
    expect(bad(ended("SIGTERM", null, "SIGKILL", false))).toEqual(["processes end well"]);
    expect(bad(ended("nobody", 0))).toEqual(["processes end well"]);
    expect(bad({ ...fine, oddities: ["UnhandledPromiseRejection"] })).toEqual(["nothing odd in their logs"]);
    expect(bad({ ...fine, peakRss: 2.6e8 })).toEqual(["memory"]);
    expect(bad({ ...fine, peakRss: 0 })).toEqual(["memory"]);
  });

  it("compares payloads by the operator's own rule", () => {
    expect(canonicalState(payload(a))).toBe(payloadOf({ ...a, status: { seq: 1 } }));
  });
});
