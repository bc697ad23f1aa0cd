import { expect } from "vitest";
import { CommitUnknownError, EventStoreError } from "../../src/core/errors.js";
import { GENESIS_HASH, type Head, type NewEvent, type StoredRecord } from "../../src/core/event.js";
import type { EventStore, WriteOptions } from "../../src/stores/port.js";
import type { History } from "../../src/testing/history.js";
import { headOf, nth, recordsBehind } from "./crowd.js";
import type { Scheduler } from "./scheduler.js";

interface Place {
  readonly seq: number;
  readonly eventHash: string;
}

type Answer =
  | { readonly committed: true; readonly seq: number; readonly eventHash: string }
  | { readonly committed: true; readonly records: readonly Place[] }
  | { readonly committed: false; readonly observedPrevHash: string };

/** What a caller asks for. */
interface Ask {
  readonly what: string;
  readonly count: number;
  readonly run: (store: EventStore, options: WriteOptions) => Promise<Answer>;
  /** It can only fail, and so. */
  readonly code?: string;
  /** It can end as this, if not committed: a conflict, or an import that is not the next. */
  readonly unless?: "conflict" | "NOT_NEXT";
}

/** An append of a caller, from its call on. */
export interface Issued extends Ask {
  readonly caller: number;
  readonly store: number;
  readonly abort: AbortController | undefined;
  told: "pending" | "committed" | "conflict" | EventStoreError;
  /** Where it was told, or left in the dark, that its last record stands. */
  last: Place | undefined;
}

export interface Callers {
  readonly count: number;
  /** Calls of each. */
  readonly calls: number;
  /** Batches and events of sizes at which objects are full. */
  readonly heavy?: boolean;
  /** Is the record with this hash stored, now? `acknowledged`: somebody was told so; else somebody lost against it. */
  readonly stored: (hash: string, acknowledged: boolean) => boolean;
}

const MIB = 1024 * 1024;
const FILL = "x".repeat(9 * MIB);

/** Callers of several (recorded) stores on one log, who do at random all that can be asked of an append. */
export class RandomCallers {
  readonly issued: Issued[] = [];
  /** What was wrong at the moment when somebody was told something. */
  readonly problems: unknown[] = [];
  readonly #scheduler: Scheduler;
  readonly #stores: readonly EventStore[];
  readonly #history: History;
  readonly #callers: Callers;
  readonly #left: number[];
  #pending = 0;
  #ids = 0;
  /** The last record that anybody was told of. */
  #known: Head = { seq: -1, hash: GENESIS_HASH };
  /** Where the log will end if what was called in this tick is written behind that, in this order. */
  #guess: Head = this.#known;

  constructor(scheduler: Scheduler, stores: readonly EventStore[], history: History, callers: Callers) {
    this.#scheduler = scheduler;
    this.#stores = stores;
    this.#history = history;
    this.#callers = callers;
    this.#left = Array.from({ length: callers.count }, () => callers.calls);
  }

  get busy(): boolean {
    return this.#pending > 0;
  }

  /** Some callers call, in one tick. Says whether anybody has more to ask for. */
  act = (): boolean => {
    const { random } = this.#scheduler;
    this.#guess = this.#known;
    for (let several = random.chance(0.5) ? 1 : 1 + random.below(4); several > 0; several--) {
      const caller = random.below(this.#callers.count);
      const store = random.chance(0.8) ? caller % this.#stores.length : random.below(this.#stores.length);
      for (let calls = Math.min(1 + random.below(4), this.#left[caller] ?? 0); calls > 0; calls--) {
        this.#left[caller] = (this.#left[caller] ?? 0) - 1;
        this.#call(caller, store, this.#ask());
      }
    }
    return this.#left.some((left) => left > 0);
  };

  #call(caller: number, store: number, ask: Ask): void {
    const { random, trace } = this.#scheduler;
    const abort = random.chance(0.15) ? new AbortController() : undefined;
    if (abort && random.chance(0.3)) abort.abort();
    const issued: Issued = { ...ask, caller, store, abort, told: "pending", last: undefined };
    this.issued.push(issued);
    const who = `caller ${String(caller)} on store ${String(store)}`;
    trace.push(`${who}: ${ask.what}${abort ? " with a signal" : ""}`);
    this.#pending++;
    void this.#follow(issued, ask.run(nth(this.#stores, store), abort ? { signal: abort.signal } : {})).finally(() => {
      trace.push(`${who} is told: ${issued.told instanceof EventStoreError ? issued.told.code : issued.told}`);
      this.#pending--;
    });
    if (!abort || abort.signal.aborted) return;
    if (random.chance(0.4)) abort.abort();
    else this.#scheduler.later(`${who} aborts`, () => abort.abort());
  }

  async #follow(issued: Issued, call: Promise<Answer>): Promise<void> {
    try {
      const answer = await call;
      issued.told = answer.committed ? "committed" : "conflict";
      if (!answer.committed) {
        const { observedPrevHash } = answer;
        expect(observedPrevHash === GENESIS_HASH || this.#callers.stored(observedPrevHash, false), "lost against").toBe(
          true,
        );
        return;
      }
      const records = "records" in answer ? answer.records : [answer];
      expect(records).toHaveLength(issued.count);
      issued.last = nth(records, -1);
      expect(this.#callers.stored(issued.last.eventHash, true), "acknowledged").toBe(true);
      if (issued.last.seq > this.#known.seq) this.#known = { seq: issued.last.seq, hash: issued.last.eventHash };
    } catch (error) {
      if (!(error instanceof EventStoreError)) {
        this.problems.push(error);
        return;
      }
      issued.told = error;
      if (error instanceof CommitUnknownError) issued.last = error;
    }
  }

  #ask(): Ask {
    const { random } = this.#scheduler;
    if (this.#callers.heavy === true && random.chance(0.5)) return this.#large();
    return random.pick<() => Ask>([
      () => this.#single("append", this.#event()),
      () => this.#single("append", this.#event()),
      () => this.#retry(),
      () => this.#batch("batch", this.#events(2 + random.below(4))),
      () => this.#large(),
      () => this.#single("append behind what is known", this.#event(), this.#known.hash),
      () => this.#single("append behind a neighbour", this.#event(), this.#guess.hash),
      () => this.#batch("batch behind what is known", this.#events(3), this.#known.hash),
      () => this.#single("append behind nothing", this.#event(), "e".repeat(64)),
      () => this.#import(random.chance(0.5) ? this.#known : this.#guess),
      () => ({ ...this.#single("bad append", this.#bad(), this.#guess.hash), code: "INVALID_EVENT" }),
      () => ({ ...this.#batch("bad batch", [...this.#events(2), this.#bad()]), code: "INVALID_EVENT" }),
      () => this.#tooLarge(),
    ])();
  }

  #single(what: string, event: NewEvent, expectedPrevHash?: string): Ask {
    if (expectedPrevHash === undefined || expectedPrevHash === this.#guess.hash) this.#foresee([event]);
    if (expectedPrevHash === undefined)
      return { what, count: 1, run: (store, options) => store.append(event, options) };
    const run: Ask["run"] = (store, options) => store.append(event, { ...options, expectedPrevHash });
    return { what, count: 1, run, unless: "conflict" };
  }

  #retry(): Ask {
    const event = this.#event();
    this.#foresee([event]);
    return { what: "appendWithRetry", count: 1, run: (store, options) => store.appendWithRetry(event, options) };
  }

  #batch(what: string, events: readonly NewEvent[], expectedPrevHash?: string): Ask {
    if (expectedPrevHash === undefined || expectedPrevHash === this.#guess.hash) this.#foresee(events);
    const count = events.length;
    if (expectedPrevHash === undefined)
      return { what, count, run: (store, options) => store.appendBatch(events, options) };
    const run: Ask["run"] = (store, options) => store.appendBatch(events, { ...options, expectedPrevHash });
    return { what, count, run, unless: "conflict" };
  }

  #large(): Ask {
    const { random } = this.#scheduler;
    if (this.#callers.heavy !== true) return this.#batch("batch of seven", this.#events(7));
    const expected = random.chance(0.4) ? this.#known.hash : undefined;
    if (random.chance(0.5)) return this.#batch("large batch", this.#events(100 + random.below(500)), expected);
    return this.#single("large append", this.#event(FILL.slice(0, MIB + random.below(2 * MIB))));
  }

  #tooLarge(): Ask {
    const ask =
      this.#callers.heavy === true
        ? this.#single("append of 9 MiB", this.#event(FILL))
        : this.#batch("batch of 1001", this.#events(1001));
    return { ...ask, code: "TOO_LARGE" };
  }

  /** The recorded store does not write imports down. */
  #import(tail: Head): Ask {
    const events = this.#events(2);
    const records = recordsBehind(tail, events);
    const run = async (store: EventStore, options: WriteOptions): Promise<Answer> => {
      const invocation = this.#history.invoke(events, tail.hash);
      try {
        await store.importRecords(records, options);
        invocation.committed(...records);
        return { committed: true, records };
      } catch (error) {
        if (error instanceof EventStoreError && !(error instanceof CommitUnknownError)) invocation.failed();
        throw error;
      }
    };
    return { what: "import", count: 2, run, unless: "NOT_NEXT" };
  }

  #event(fill?: string): NewEvent {
    const payload = { n: this.#ids++, ...(fill !== undefined && { fill }) };
    return { type: "T", aggregateId: "a", ts: 5, payload };
  }

  #events(count: number): NewEvent[] {
    return Array.from({ length: count }, () => this.#event());
  }

  #bad(): NewEvent {
    const x = this.#scheduler.random.pick<unknown>([Number.NaN, "\ud800", [undefined], new Date(0)]);
    return { ...this.#event(), payload: { x } } as unknown as NewEvent;
  }

  #foresee(events: readonly NewEvent[]): void {
    // Not worth its time for large ones, nor possible for bad ones.
    if (events.length > 10) return;
    try {
      this.#guess = headOf(nth(recordsBehind(this.#guess, events), -1));
    } catch (error) {
      if (!(error instanceof EventStoreError)) throw error;
    }
  }
}

/** Failures that a caller may meet because of what a server or a disk did. */
const TROUBLE = ["COMMIT_UNKNOWN", "BLOCKED", "UNAVAILABLE", "ACCESS_DENIED", "CONTENTION", "IO_FAILED", "DISK_FULL"];

/** Each was told what it may be told, and of each caller and store what is in the log is there in the order of the calls. */
export function checkIssued(issued: readonly Issued[], log: readonly StoredRecord[], troubled: boolean): void {
  const last = new Map<string, number>();
  for (const { what, caller, store, told, code, unless, abort, last: place } of issued) {
    const outcome = told instanceof EventStoreError ? told.code : told;
    const aborted = abort?.signal.aborted === true ? ["ABORTED", "COMMIT_UNKNOWN"] : [];
    // That it is too large shows only at its place, which trouble may keep it from.
    const mayBeTroubled = troubled && (code === undefined || code === "TOO_LARGE");
    const ends = code !== undefined ? [code] : ["committed", ...(unless ? [unless] : [])];
    const allowed = [...ends, ...(mayBeTroubled ? TROUBLE : [])];
    expect([...allowed, ...aborted], `${what} of caller ${String(caller)}`).toContain(outcome);
    if (!place) continue;
    const there = log[place.seq]?.eventHash === place.eventHash;
    // What is unknown is where it was said to be, or nowhere.
    if (!there) {
      expect(outcome).toBe("COMMIT_UNKNOWN");
      expect(log.some(({ eventHash }) => eventHash === place.eventHash)).toBe(false);
      continue;
    }
    const who = `caller ${String(caller)} on store ${String(store)}`;
    expect(place.seq, `${who}: ${what} stands behind what it asked for before`).toBeGreaterThan(last.get(who) ?? -1);
    last.set(who, place.seq);
  }
}
