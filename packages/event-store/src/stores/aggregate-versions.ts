import { EventStoreError, VerificationError } from "../core/errors.js";
import type { Head } from "../core/event.js";
import { aggregateKey } from "../core/record.js";
import type { AppendOutcome, ExpectedVersion } from "../log/append-job.js";
import { EMPTY } from "../log/log-on-objects.js";
import { abortedError } from "../log/turns.js";
import { onAbort } from "../system/on-abort.js";
import type { ReadOptions } from "./port.js";

/** How many events an aggregate has, up to a place in the log. */
interface Counted {
  readonly version: number;
  readonly at: Head;
}

/** A count under way, and how many wait for it. */
interface Count {
  readonly result: Promise<Counted>;
  readonly abort: AbortController;
  waiting: number;
}

/** Aggregates whose last count is kept. */
const KEPT = 4096;
/** How often an append is counted for: more than once only if what others wrote in between is too much to be followed. */
const TRIES = 32;

export interface VersionSource {
  /** The log's last record now. */
  refresh(): Promise<Head>;
  /** The records of a range, some at a time. */
  records(options: ReadOptions): AsyncIterable<readonly unknown[]>;
}

/**
 * Appends that expect a version of their aggregate. The events are counted here, by a read of what is new since the last count; the writer
 * judges the append at its place (log/append-group.ts), so that nothing that others append in between is a reason to begin anew.
 */
export class AggregateVersions {
  readonly #source: VersionSource;
  /** The latest ones at the end. A hint: the writer asks for another count when it does not fit. */
  readonly #known = new Map<string, Counted>();
  /** Counts under way. */
  readonly #counts = new Map<string, Count>();

  constructor(source: VersionSource) {
    this.#source = source;
  }

  /** `append` writes if the aggregate has `expected` events. @throws as `EventStore.append`, `EventStore.read` */
  async append(
    aggregateId: string,
    expected: number,
    signal: AbortSignal | undefined,
    append: (version: ExpectedVersion) => Promise<AppendOutcome>,
  ): Promise<AppendOutcome> {
    const key = aggregateKey(aggregateId);
    for (let tries = 0; tries < TRIES; tries++) {
      // Whoever comes while it is counted waits for that: they go on in the order in which they came.
      const last = tries === 0 && !this.#counts.has(aggregateId) ? this.#known.get(aggregateId) : undefined;
      const { version: known, at } = last ?? (await this.#counted(aggregateId, signal));
      const outcome = await append({ key, expected, known, at });
      if ("stale" in outcome) continue;
      this.#learn(aggregateId, outcome, expected);
      return outcome;
    }
    throw new EventStoreError(
      "CONTENTION",
      `others appended too much each time that the events of aggregate ${JSON.stringify(aggregateId)} had been counted; nothing was written`,
      { hint: "try again, or let fewer processes write to one log" },
    );
  }

  /** One count for all who wait for it; it ends when none of them is left. @throws EventStoreError ABORTED */
  #counted(aggregateId: string, signal?: AbortSignal): Promise<Counted> {
    const count = this.#counts.get(aggregateId) ?? this.#begin(aggregateId);
    count.waiting++;
    return new Promise<Counted>((resolve, reject) => {
      const leave = (): void => {
        if (signal) reject(abortedError(signal));
        if (--count.waiting > 0) return;
        count.abort.abort();
        if (this.#counts.get(aggregateId) === count) this.#counts.delete(aggregateId);
      };
      const release = onAbort(signal, leave);
      if (signal?.aborted) leave();
      count.result.finally(release).then(resolve, reject);
    });
  }

  #begin(aggregateId: string): Count {
    const abort = new AbortController();
    const result = this.#count(aggregateId, this.#known.get(aggregateId), abort.signal);
    const count = { result, abort, waiting: 0 };
    this.#counts.set(aggregateId, count);
    const ended = (): void => {
      if (this.#counts.get(aggregateId) === count) this.#counts.delete(aggregateId);
    };
    result.then(ended, ended);
    return count;
  }

  /** Reads only what is new since the last count, if that is of this log. */
  async #count(aggregateId: string, last: Counted = NONE, signal?: AbortSignal): Promise<Counted> {
    const head = await this.#source.refresh();
    const start = last.at.seq < head.seq || last.at.hash === head.hash ? last : NONE;
    let counted: Counted;
    try {
      counted = await this.#countFrom(start, aggregateId, head, signal);
    } catch (error) {
      // A record that was seen before it was synced can have been taken back: then the log says something else there.
      if (!(error instanceof VerificationError) || start === NONE) throw error;
      counted = await this.#countFrom(NONE, aggregateId, head, signal);
    }
    this.#keep(aggregateId, counted);
    return counted;
  }

  async #countFrom(start: Counted, aggregateId: string, head: Head, signal?: AbortSignal): Promise<Counted> {
    let { version } = start;
    if (head.seq <= start.at.seq) return { version, at: head };
    const range = { ...(start.at.seq >= 0 && { anchor: start.at }), toSeq: head.seq, aggregateId, signal };
    for await (const found of this.#source.records(range)) version += found.length;
    return { version, at: head };
  }

  #learn(aggregateId: string, outcome: Exclude<AppendOutcome, { stale: true }>, expected: number): void {
    if ("conflict" in outcome) {
      if (outcome.version !== undefined) this.#keep(aggregateId, { version: outcome.version, at: outcome.conflict });
      return;
    }
    const last = outcome.records.at(-1);
    if (!last) return;
    const version = expected + outcome.records.length;
    this.#keep(aggregateId, { version, at: { seq: last.seq, hash: last.eventHash } });
  }

  /** Answers of several appends come in any order: the newest counts, unless the log was cut since, which the writer will say. */
  #keep(aggregateId: string, counted: Counted): void {
    this.#known.delete(aggregateId);
    this.#known.set(aggregateId, counted);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= KEPT) return;
      this.#known.delete(oldest);
    }
  }
}

const NONE: Counted = { version: 0, at: EMPTY };
