import { expect } from "vitest";
import { CommitUnknownError, EventStoreError } from "../../src/core/errors.js";
import type { Head, NewEvent, StoredRecord } from "../../src/core/event.js";
import { encodeChain, prepareEvent } from "../../src/core/record.js";
import type { EventStore } from "../../src/stores/port.js";
import type { FaultBench } from "./fault-bench.js";
import { event } from "./fault-bench.js";

/** What a caller was told, for comparison. */
export type Told =
  | { readonly committed: readonly (readonly [seq: number, hash: string])[] }
  | { readonly conflict: string }
  | { readonly code: string; readonly seq?: number | undefined; readonly hash?: string | undefined };

/** The records that these events make behind `tail`. */
export function recordsBehind(tail: Head, events: readonly NewEvent[]): StoredRecord[] {
  return encodeChain(
    events.map((one) => prepareEvent(one, 1, () => 0)),
    tail,
  );
}

/** Where a record stands, as an outcome tells it. */
const at = ({ seq, eventHash }: StoredRecord): readonly [number, string] => [seq, eventHash];

export const headOf = ({ seq, eventHash }: StoredRecord): Head => ({ seq, hash: eventHash });

/** Element `i`, which is there. */
export function nth<T>(items: readonly T[], i: number): T {
  const item = items.at(i);
  if (item === undefined) throw new Error(`there are only ${String(items.length)}, not one at ${String(i)}`);
  return item;
}

const ELSEWHERE = "f".repeat(64);

/**
 * Callers of one tick, in batch mode the company of one object: those who must get in, those whose expectation fails only
 * because of their neighbours, and those who are refused. `tail`: where the log ends. Events are numbered from `first` on.
 */
export class Crowd {
  readonly tail: Head;
  readonly first: number;
  /** The records that they make together behind `tail`. */
  readonly records: readonly StoredRecord[];
  readonly #bench: FaultBench;

  constructor(bench: FaultBench, tail: Head, first: number) {
    this.#bench = bench;
    this.tail = tail;
    this.first = first;
    this.records = recordsBehind(tail, this.#events(0, 8));
  }

  /** The last of their records. */
  get end(): Head {
    return headOf(nth(this.records, -1));
  }

  /** Numbers of the events that get in. */
  get numbers(): number[] {
    return this.records.map((_, i) => this.first + i);
  }

  #events(from: number, to: number): NewEvent[] {
    return Array.from({ length: to - from }, (_, i) => event(this.first + from + i));
  }

  /** They all call at once; what each is told. */
  async append(store: EventStore): Promise<Told[]> {
    const [e0, e1, e2, e3, e4, e5, e6, e7] = this.#events(0, 8) as [NewEvent, ...NewEvent[]] & NewEvent[];
    if (!e1 || !e2 || !e3 || !e4 || !e5 || !e6 || !e7) throw new Error("eight events");
    const abort = new AbortController();
    const bad: NewEvent = { ...event(-1), payload: { bad: Number.NaN } };
    const calls = [
      told(store.append(e0)),
      told(store.appendBatch([e1, e2, e3])),
      // Right in its place, behind a record that is only about to be written.
      told(store.append(e4, { expectedPrevHash: nth(this.records, 3).eventHash })),
      // True of the log as it is, and no longer true behind the neighbours.
      told(this.#holds(store.append(event(-2), { expectedPrevHash: this.tail.hash }))),
      told(store.append(bad)),
      told(this.#imported(store, e5, nth(this.records, 5))),
      told(store.append(event(-3), { signal: abort.signal })),
      told(store.appendWithRetry(e6)),
      told(store.appendBatch([event(-4), bad])),
      told(store.appendBatch([event(-5), event(-6)], { expectedPrevHash: ELSEWHERE })),
      told(store.append(e7)),
    ];
    abort.abort();
    return Promise.all(calls);
  }

  /** What they must be told when the object is stored. */
  stored(): Told[] {
    const [r0, r1, r2, r3, r4, r5, r6, r7] = this.records.map(at);
    return [
      committed(r0),
      committed(r1, r2, r3),
      committed(r4),
      { conflict: nth(this.records, 4).eventHash },
      { code: "INVALID_EVENT" },
      committed(r5),
      { code: "ABORTED" },
      committed(r6),
      { code: "INVALID_EVENT" },
      { conflict: nth(this.records, 6).eventHash },
      committed(r7),
    ];
  }

  /** … when it is not known: each of his own last record; those who have none, that nothing of theirs was written. */
  unknown(): Told[] {
    const end = { seq: this.end.seq, hash: this.end.hash };
    return this.stored().map((answer) => {
      if ("conflict" in answer) return { code: "BLOCKED", ...end };
      if (!("committed" in answer)) return answer;
      const [seq, hash] = nth(answer.committed, -1);
      return { code: "COMMIT_UNKNOWN", seq, hash };
    });
  }

  /** … when nothing was written: all who could have got in, or lost against neighbours who did not, get this error. */
  refused(code: string): Told[] {
    return this.stored().map((answer) => ("code" in answer ? answer : { code }));
  }

  /** … when earlier appends are still open, up to `end`. */
  blocked(end: Head): Told[] {
    return this.stored().map((answer) => ("code" in answer ? answer : { code: "BLOCKED", ...end }));
  }

  /** … when `winner`'s records took their place: the log they are now behind, and what it holds of theirs. */
  behind(winner: Head): { readonly told: Told[]; readonly numbers: number[]; readonly end: Head } {
    const kept = [0, 1, 2, 3, 6, 7];
    const records = recordsBehind(
      winner,
      kept.map((i) => event(this.first + i)),
    );
    const [r0, r1, r2, r3, r6, r7] = records.map(at);
    const behindBatch = nth(records, 3).eventHash;
    return {
      told: [
        committed(r0),
        committed(r1, r2, r3),
        { conflict: behindBatch },
        { conflict: behindBatch },
        { code: "INVALID_EVENT" },
        { code: "NOT_NEXT" },
        { code: "ABORTED" },
        committed(r6),
        { code: "INVALID_EVENT" },
        { conflict: nth(records, 4).eventHash },
        committed(r7),
      ],
      numbers: kept.map((i) => this.first + i),
      end: headOf(nth(records, -1)),
    };
  }

  /** A conflict that is told: the record that it lost against is in the bucket at that moment. */
  async #holds<T>(result: Promise<T>): Promise<T> {
    const answer = await result;
    if (typeof answer === "object" && answer !== null && "observedPrevHash" in answer) {
      const objects = this.#bench.emulator.objects("events");
      const bodies = objects.keys(`${this.#bench.prefix}/0`).map((key) => objects.get(key)?.body.toString() ?? "");
      expect(bodies.some((body) => body.includes(`"event_hash":"${String(answer.observedPrevHash)}"`))).toBe(true);
    }
    return answer;
  }

  /** The recorded store does not write imports down. */
  async #imported(store: EventStore, what: NewEvent, record: StoredRecord): Promise<Head> {
    const invocation = this.#bench.history.invoke([what], record.prevHash);
    try {
      const head = await store.importRecords([record]);
      invocation.committed({ seq: head.seq, eventHash: head.hash });
      return head;
    } catch (error) {
      if (error instanceof EventStoreError && !(error instanceof CommitUnknownError)) invocation.failed();
      throw error;
    }
  }
}

function committed(...places: readonly (readonly [number, string] | undefined)[]): Told {
  return { committed: places.map((place) => place ?? ([-1, ""] as const)) };
}

type Answer =
  | { readonly committed: true; readonly seq: number; readonly eventHash: string }
  | {
      readonly committed: true;
      readonly records: readonly { readonly seq: number; readonly eventHash: string; readonly prevHash: string }[];
    }
  | { readonly committed: false; readonly observedPrevHash: string }
  | Head;

async function told(call: Promise<Answer>): Promise<Told> {
  try {
    const answer = await call;
    if ("hash" in answer) return { committed: [[answer.seq, answer.hash]] };
    if (!answer.committed) return { conflict: answer.observedPrevHash };
    const records = "records" in answer ? answer.records : [answer];
    return { committed: records.map(({ seq, eventHash }) => [seq, eventHash] as const) };
  } catch (error) {
    if (!(error instanceof EventStoreError)) throw error;
    const { code, facts } = error;
    return code === "COMMIT_UNKNOWN" || code === "BLOCKED" ? { code, seq: facts.seq, hash: facts.hash } : { code };
  }
}
