import { canonicalState, type RecordedEvent } from "@rynxs/event-store";
import type { KubeObject } from "../../src/kube/port.js";
import { ABSENT, LEADER_ELECTED, loggedChange, SOURCE } from "../../src/record/logged-state.js";
import { conditionsOf } from "../../src/record/observation.js";
import { recordedMessage } from "../../src/record/recorded-condition.js";
import { keyOfAggregate, payloadOf, type Histories } from "./histories.js";
import type { Verdict } from "./verdict.js";

/** All that the API server and the log have to say at the end of a run. */
export interface Evidence {
  /** The whole log, in order. */
  readonly events: readonly RecordedEvent[];
  readonly histories: Histories;
  /** Objects that exist at the end, by `namespace/name`. */
  readonly finals: ReadonlyMap<string, KubeObject>;
}

/** What a run must come to, whatever went wrong in it. */
export function checkEvidence(evidence: Evidence): readonly Verdict[] {
  return [
    { name: "final states", violations: finalStates(evidence) },
    { name: "no duplicates", violations: duplicates(evidence) },
    { name: "order of states", violations: order(evidence) },
    { name: "epochs", violations: epochs(evidence) },
  ];
}

/** The operator's own events about one object, in order. */
function byAggregate(events: readonly RecordedEvent[]): Map<string, RecordedEvent[]> {
  const found = new Map<string, RecordedEvent[]>();
  for (const event of events) {
    if (loggedChange(event) === null) continue;
    const of = found.get(event.aggregateId);
    if (of) of.push(event);
    else found.set(event.aggregateId, [event]);
  }
  return found;
}

/** Each object's last event says what the API server has of it at the end. */
function finalStates({ events, histories, finals }: Evidence): string[] {
  const wrong: string[] = [];
  const logged = byAggregate(events);
  for (const key of new Set([...histories.keys(), ...logged.keys(), ...finals.keys()])) {
    const last = logged.get(key)?.at(-1);
    const object = finals.get(key);
    if (object === undefined) {
      if (last !== undefined && last.type !== "AgentDeleted")
        wrong.push(`${key} is gone, but its last event is ${named(last)}`);
    } else if (last?.type !== "AgentObserved" || canonicalState(last.payload) !== payloadOf(object))
      wrong.push(`${key} ends as ${payloadOf(object)}, but its last event is ${last ? named(last) : "missing"}`);
  }
  return wrong;
}

/** Nothing is said twice in a row, and a deletion only of what was there, with what was recorded of it last. */
function duplicates({ events }: Evidence): string[] {
  const wrong: string[] = [];
  for (const [key, of] of byAggregate(events)) {
    let before: RecordedEvent | undefined;
    for (const event of of) {
      const isDeletion = event.type === "AgentDeleted";
      const same = before !== undefined && canonicalState(before.payload) === canonicalState(event.payload);
      if (isDeletion && before?.type !== "AgentObserved")
        wrong.push(`${key}: ${named(event)} without an observation before`);
      else if (isDeletion && !same) wrong.push(`${key}: ${named(event)} deletes what was not recorded last`);
      else if (same && before?.type === event.type) wrong.push(`${key}: ${named(event)} repeats ${named(before)}`);
      before = event;
    }
  }
  return wrong;
}

/** What was recorded of an object is a part of what it went through, in the same order. */
function order({ events, histories }: Evidence): string[] {
  const wrong: string[] = [];
  for (const [key, of] of byAggregate(events)) {
    const states = histories.get(key) ?? [];
    let from = 0;
    for (const event of of) {
      const digest = loggedChange(event)?.digest ?? ABSENT;
      // The earliest place that fits leaves the most for the rest.
      const at = states.indexOf(digest, from);
      if (at < 0) {
        const ever = states.includes(digest) ? "comes after a later state" : "was never so";
        wrong.push(`${key}: ${named(event)} ${ever}`);
        break;
      }
      from = at + 1;
    }
  }
  return wrong;
}

/** Epochs are 1, 2, 3 …, and between two of them all that the operator wrote is by the one who took the first. */
function epochs({ events }: Evidence): string[] {
  const wrong: string[] = [];
  let epoch = 0;
  let writer: unknown;
  for (const event of events) {
    const { meta, payload } = event;
    if (meta["source"] !== SOURCE) continue;
    if (event.type === LEADER_ELECTED) {
      if (payload["epoch"] !== epoch + 1)
        wrong.push(`${named(event)} takes epoch ${JSON.stringify(payload["epoch"])} after ${epoch}`);
      epoch = Number(payload["epoch"]);
      writer = meta["writer_id"];
    }
    if (meta["fencing_token"] !== epoch || meta["writer_id"] !== writer)
      wrong.push(
        `${named(event)} is of epoch ${JSON.stringify(meta["fencing_token"])} by ${JSON.stringify(meta["writer_id"])} within epoch ${epoch} of ${String(writer)}`,
      );
  }
  return wrong;
}

/** Objects whose status does not say where in the log their last event is. */
export function wrongStatuses({ events, finals }: Evidence): string[] {
  const logged = byAggregate(events);
  const wrong: string[] = [];
  for (const [key, object] of finals) {
    const last = logged.get(key)?.at(-1);
    if (last === undefined) continue;
    const status = (object["status"] ?? {}) as Readonly<Record<string, unknown>>;
    const conditions = conditionsOf(object) as readonly Readonly<Record<string, unknown>>[];
    const recorded = conditions.filter(({ type }) => type === "Recorded");
    const said = { seq: status["recordedSeq"], hash: status["recordedHash"], message: recorded[0]?.["message"] };
    const wanted = { seq: last.seq, hash: last.eventHash, message: recordedMessage(last.seq, last.eventHash) };
    if (recorded.length !== 1 || JSON.stringify(said) !== JSON.stringify(wanted))
      wrong.push(`${key}: its status says ${JSON.stringify(said)}, its last event is ${named(last)}`);
  }
  return wrong;
}

/** Of the states that there were: with less recorded, nobody led for most of the time. */
const LEAST_SHARE = 0.3;

/** Why a run proves little: all that must hold also holds of a log into which nearly nothing was written. */
export function putToTheTest({ events, histories }: Evidence): string[] {
  const count = (is: (event: RecordedEvent) => boolean): number => events.filter(is).length;
  const recorded = count((event) => loggedChange(event) !== null);
  const states = [...histories.values()].reduce((sum, of) => sum + of.length, 0);
  const wanted: readonly (readonly [boolean, string])[] = [
    [recorded >= states * LEAST_SHARE, `only ${recorded} of ${states} states were recorded`],
    [count(({ type }) => type === LEADER_ELECTED) > 1, "the leader never changed"],
    [count(({ meta }) => meta["source"] !== SOURCE) > 0, "nobody else wrote into the log"],
  ];
  return wanted.flatMap(([holds, otherwise]) => (holds ? [] : [otherwise]));
}

/** Objects of which the log does not hold the present state yet: cheap to ask again and again. */
export function unsettled(logged: ReadonlyMap<string, string>, { histories }: Pick<Evidence, "histories">): string[] {
  return [...histories]
    .filter(([key, states]) => (logged.get(keyOfAggregate(key)) ?? ABSENT) !== (states.at(-1) ?? ABSENT))
    .map(([key]) => key);
}

function named({ type, seq, eventHash }: RecordedEvent): string {
  return `${type} at seq ${String(seq)} (${eventHash.slice(0, 8)})`;
}
