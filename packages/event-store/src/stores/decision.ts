import { ConfigError, EventStoreError, InvalidEventError } from "../core/errors.js";
import type { EventMap, Head, JsonInputObject, NewEvent, RecordedEvent } from "../core/event.js";
import { isHash } from "../core/hash.js";
import type { JsonText } from "../core/json/json-text.js";
import { TRIGGER_HASH, TRIGGER_SEQ, TRIGGER_TYPE } from "../core/pointer.js";
import { Turns } from "../log/turns.js";
import { backOff, systemRuntime, type Runtime } from "../system/runtime.js";
import type { AppendOptions, Committed, Conflict, EventStore } from "./port.js";
import { checkSeq } from "./reading.js";

/** The event that caused a decision: one that was read from this very log, or its seq and hash. */
export interface Trigger {
  readonly seq: number;
  /** 64 lowercase hex. */
  readonly eventHash: string;
  /** Checked against the log; default: what the log says. */
  readonly type?: string | undefined;
  readonly aggregateId?: string | undefined;
  /** Only of events that were read: these are not read again. */
  readonly prevHash?: string | undefined;
}

export interface NewDecision {
  readonly type: string;
  /** Default: the trigger's. */
  readonly aggregateId?: string | undefined;
  /** The `trigger_event_…` fields are added to it, and may not be in it. */
  readonly payload?: JsonInputObject | undefined;
  readonly meta?: JsonInputObject | JsonText | undefined;
  /** As of every event: default the store's clock, Unix milliseconds. */
  readonly ts?: number | bigint | undefined;
  readonly trigger: Trigger;
}

export interface DecisionOptions extends AppendOptions {
  /**
   * Record at most one decision of this type, on this aggregate, for this trigger, whoever else records (another replica, or this
   * one's own put from before a crash): one that the log already has is given back with `existing: true`, and nothing is written. Looks
   * only behind the trigger, and then appends only if the log still ends where the look did, again and again until that holds. It goes
   * with neither `expectedPrevHash` nor `expectedVersion`. Default false.
   */
  readonly once?: boolean | undefined;
  /** Chance and pauses, for tests. */
  readonly runtime?: Pick<Runtime, "random" | "sleep"> | undefined;
}

export interface RecordedDecision extends Committed {
  /** With `once`: it was in the log already, and this call wrote nothing. */
  readonly existing: boolean;
  /** The decision that was there, as it was recorded then. */
  readonly event?: RecordedEvent | undefined;
}

/** What recording decisions needs of a store. */
export type DecisionLog<E extends EventMap> = Pick<EventStore<E>, "append" | "getEventHash" | "head" | "read">;

/** Decisions that are recorded once through one store wait for one another: side by side they would lose their races to themselves. */
const turns = new WeakMap<object, Turns>();

function turnsOf(store: object): Turns {
  const held = turns.get(store) ?? new Turns();
  turns.set(store, held);
  return held;
}

/** How often a look at the log's end is made for one decision. */
const TRIES = 24;

/**
 * Appends a decision that is linked to the event that caused it: `trigger_event_seq`, `trigger_event_hash` and `trigger_event_type` in
 * its payload, as the Python system's `ActionsDecided`; `rynxs verify --pointers` checks such links. First it makes sure that the log holds
 * that event. Without `once` it may be called again exactly when `append` may. docs/operations/decisions.md has the ways to use it.
 * @throws EventStoreError INVALID_EVENT when the log has no such trigger (`facts.seq`, `expected`, `actual`), CONTENTION when others won
 *   every race; ConfigError; and whatever `append`, `getEventHash` and `read` throw
 */
export async function recordDecision<E extends EventMap>(
  store: DecisionLog<E>,
  decision: NewDecision,
  options: DecisionOptions & { readonly once: true },
): Promise<RecordedDecision>;
export async function recordDecision<E extends EventMap>(
  store: DecisionLog<E>,
  decision: NewDecision,
  options?: DecisionOptions,
): Promise<RecordedDecision | Conflict>;
export async function recordDecision<E extends EventMap>(
  store: DecisionLog<E>,
  decision: NewDecision,
  options: DecisionOptions = {},
): Promise<RecordedDecision | Conflict> {
  const { once = false, runtime = systemRuntime, ...append } = options;
  if (once && (append.expectedPrevHash !== undefined || append.expectedVersion !== undefined)) {
    throw new ConfigError("once goes with neither expectedPrevHash nor expectedVersion", {
      hint: "leave the expectation out: once makes its own",
    });
  }
  const trigger = await triggerOf(store, decision.trigger, append.signal);
  const event = linked(decision, trigger);
  if (once) {
    const look = new OnceLook(store, event, trigger, append.signal);
    return turnsOf(store).run(() => look.record(runtime), append.signal);
  }
  const result = await store.append(event as unknown as NewEvent<E>, append);
  return result.committed ? { ...result, existing: false } : result;
}

interface Found {
  readonly seq: number;
  readonly eventHash: string;
  readonly type: string;
  readonly aggregateId: string;
}

interface LinkedEvent {
  readonly type: string;
  readonly aggregateId: string;
  readonly payload: JsonInputObject;
}

/** The trigger, once the log was found to hold it. */
async function triggerOf<E extends EventMap>(
  store: DecisionLog<E>,
  trigger: Trigger,
  signal: AbortSignal | undefined,
): Promise<Found> {
  if (typeof (trigger as unknown) !== "object" || (trigger as unknown) === null)
    throw new ConfigError("a decision has a trigger: an event of this log, or its seq and eventHash");
  const { seq, eventHash, type, aggregateId, prevHash } = trigger;
  checkSeq("trigger.seq", seq);
  if (!isHash(eventHash)) throw new ConfigError("trigger.eventHash must be 64 lowercase hex digits");
  const held = await store.getEventHash(seq);
  if (held !== eventHash) throw noSuchTrigger(seq, TRIGGER_HASH, eventHash, held ?? "no such record");
  // An event that was read: with the hash, its type and aggregate are right too.
  if (prevHash !== undefined && type !== undefined && aggregateId !== undefined)
    return { seq, eventHash, type, aggregateId };
  for await (const event of store.read({ fromSeq: seq, toSeq: seq, signal })) {
    const read = event as unknown as RecordedEvent;
    if (type !== undefined && type !== read.type) throw noSuchTrigger(seq, TRIGGER_TYPE, type, read.type);
    return { seq, eventHash, type: read.type, aggregateId: read.aggregateId };
  }
  throw noSuchTrigger(seq, TRIGGER_HASH, eventHash, "no such record");
}

function noSuchTrigger(seq: number, field: string, expected: string, actual: string): EventStoreError {
  return new EventStoreError(
    "INVALID_EVENT",
    `the log does not hold the event that triggered this decision: seq ${String(seq)} is another, or missing; nothing was written`,
    {
      facts: { seq, path: `$.payload.${field}`, expected, actual },
      hint: "take the trigger from the log that the decision goes into; if it was read there, the log was changed since: rynxs verify",
    },
  );
}

function linked({ trigger: _, ...decision }: NewDecision, trigger: Found): LinkedEvent {
  const { payload = {}, aggregateId = trigger.aggregateId } = decision;
  const proto: unknown = typeof (payload as unknown) === "object" && Object.getPrototypeOf(payload);
  if (proto !== Object.prototype && proto !== null)
    throw new InvalidEventError("$.payload", "a decision's payload is a plain object");
  for (const name of [TRIGGER_SEQ, TRIGGER_HASH, TRIGGER_TYPE]) {
    if (Object.hasOwn(payload, name))
      throw new InvalidEventError(`$.payload.${name}`, "this field is the link's", "leave it out: it is added");
  }
  const link = { [TRIGGER_SEQ]: trigger.seq, [TRIGGER_HASH]: trigger.eventHash, [TRIGGER_TYPE]: trigger.type };
  return { ...decision, aggregateId, payload: { ...payload, ...link } };
}

/** One decision that is recorded once: it knows how far the log was looked through. */
class OnceLook<E extends EventMap> {
  readonly #store: DecisionLog<E>;
  readonly #event: LinkedEvent;
  readonly #trigger: Found;
  readonly #signal: AbortSignal | undefined;
  /** The last record that was looked at. */
  #seen: Head;

  constructor(store: DecisionLog<E>, event: LinkedEvent, trigger: Found, signal: AbortSignal | undefined) {
    this.#store = store;
    this.#event = event;
    this.#trigger = trigger;
    this.#signal = signal;
    this.#seen = { seq: trigger.seq, hash: trigger.eventHash };
  }

  async record(runtime: Pick<Runtime, "random" | "sleep">): Promise<RecordedDecision> {
    for (let tries = 1; tries <= TRIES; tries++) {
      const existing = await this.#look();
      if (existing) return existing;
      const result = await this.#store.append(this.#event as unknown as NewEvent<E>, {
        expectedPrevHash: this.#seen.hash,
        signal: this.#signal,
      });
      if (result.committed) return { ...result, existing: false };
      // Others append at the same time: not all at once again.
      if (tries > 1) await runtime.sleep(backOff(runtime as Runtime, tries, 5, 1000), this.#signal);
    }
    throw new EventStoreError(
      "CONTENTION",
      `others appended each time that the log had been looked through for this decision; nothing was written`,
      { facts: { seq: this.#trigger.seq }, hint: "try again, or let fewer processes write to one log" },
    );
  }

  /** The decision, if it stands among what is new behind the last look. */
  async #look(): Promise<RecordedDecision | null> {
    const end = await this.#store.head();
    if (end.seq <= this.#seen.seq) return null;
    const { aggregateId, type } = this.#event;
    const range = { anchor: this.#seen, toSeq: end.seq, aggregateId, signal: this.#signal };
    for await (const event of this.#store.read({ ...range, type: type as keyof E & string })) {
      const found = event as unknown as RecordedEvent;
      const { seq, eventHash, prevHash, payload } = found;
      if (payload[TRIGGER_SEQ] === this.#trigger.seq && payload[TRIGGER_HASH] === this.#trigger.eventHash)
        return { committed: true, existing: true, seq, eventHash, prevHash, event: found };
    }
    this.#seen = end;
    return null;
  }
}
