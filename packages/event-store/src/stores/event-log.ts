import { ChainWalk } from "../core/chain.js";
import { ConfigError, EventStoreError } from "../core/errors.js";
import {
  MAX_BATCH_BYTES,
  MAX_BATCH_RECORDS,
  type EventMap,
  type HashVersion,
  type Head,
  type NewEvent,
  type RecordedEvent,
  type StoredRecord,
} from "../core/event.js";
import { isHash } from "../core/hash.js";
import { placeBefore, type RecordView } from "../core/record-view.js";
import { encodeChain, lineBytes, mostLineBytes, prepareEvent, type PreparedEvent } from "../core/record.js";
import { EventParser } from "../core/recorded-event.js";
import type { AppendJob, AppendOutcome, ExpectedVersion, LogWriter } from "../log/append-job.js";
import type { Upkeep } from "../log/upkeep.js";
import type { Runtime } from "../system/runtime.js";
import { listAggregates } from "./list-aggregates.js";
import { AggregateVersions } from "./aggregate-versions.js";
import { Backlog } from "./backlog.js";
import { oneByOne } from "./one-by-one.js";
import type {
  AggregatesOptions,
  AggregatesPage,
  AppendOptions,
  AppendResult,
  BatchResult,
  Committed,
  CompactionReport,
  CompactOptions,
  Conflict,
  DerivedPlace,
  EventStore,
  HeadReset,
  PruneOptions,
  PruneReport,
  ReadOptions,
  Settled,
  VerifyOptions,
  VerifyReport,
  WriteOptions,
} from "./port.js";
import { checkSeq, readVerified, verifyLog } from "./reading.js";
import type { RecordSource } from "./record-source.js";
import { ring } from "./subscription/bell.js";
import type { SubscribeOptions, Subscription } from "./subscription/port.js";
import { LogSubscription } from "./subscription/subscription.js";

export interface EventLogParts {
  readonly location: string;
  readonly derived: DerivedPlace;
  readonly source: RecordSource;
  readonly writer: LogWriter;
  readonly upkeep: Upkeep;
  readonly hashVersion: HashVersion;
  readonly runtime: Runtime;
}

/** The EventStore of every backend: checks at the boundary, then one writer and one source of records. */
export class EventLog<E extends EventMap> implements EventStore<E> {
  readonly location: string;
  readonly derived: DerivedPlace;
  readonly #source: RecordSource;
  readonly #writer: LogWriter;
  readonly #upkeep: Upkeep;
  readonly #hashVersion: HashVersion;
  readonly #runtime: Runtime;
  readonly #backlog = new Backlog();
  readonly #closing = new AbortController();
  readonly #versions: AggregateVersions;
  #closed = false;

  constructor(parts: EventLogParts) {
    this.location = parts.location;
    this.derived = parts.derived;
    this.#source = parts.source;
    this.#writer = parts.writer;
    this.#upkeep = parts.upkeep;
    this.#hashVersion = parts.hashVersion;
    this.#runtime = parts.runtime;
    this.#versions = new AggregateVersions({
      refresh: () => this.#writer.refresh(),
      records: (options) => this.#records(options),
    });
  }

  async append(event: NewEvent<E>, options: AppendOptions = {}): Promise<AppendResult> {
    const outcome = await this.#append([event], options);
    if ("conflict" in outcome) return conflicting(outcome);
    return committed(only(outcome.records), 0, options.expectedVersion);
  }

  async appendWithRetry(event: NewEvent<E>, options: WriteOptions = {}): Promise<Committed> {
    const outcome = await this.#append([event], options);
    if ("conflict" in outcome)
      throw new EventStoreError("CONTENTION", "an append without an expectation met a conflict");
    return committed(only(outcome.records));
  }

  async appendBatch(events: readonly NewEvent<E>[], options: AppendOptions = {}): Promise<BatchResult> {
    const outcome = await this.#append(events, options);
    if ("conflict" in outcome) return conflicting(outcome);
    const records = outcome.records.map((record, i) => committed(record, i, options.expectedVersion));
    return { committed: true, records };
  }

  async importRecords(records: readonly StoredRecord[], options: WriteOptions = {}): Promise<Head> {
    this.#checkOpen();
    if (!isArray(records))
      throw new ConfigError("importRecords takes an array of records", {
        hint: "collect up to 1000 of what readRecords() gives",
      });
    checkCount(records.length);
    checkBytes(records);
    const piece = verifiedPiece(records);
    const first = only(piece);
    const recordsAfter = (tail: Head): readonly StoredRecord[] => {
      if (first.seq !== tail.seq + 1) throw notNext(tail, first);
      return piece;
    };
    const bytes = piece.reduce((sum, { line }) => sum + line.length + 1, 0);
    const job = { count: piece.length, bytes, recordsAfter, expectedPrevHash: first.prevHash, signal: options.signal };
    const outcome = judged(await this.#enqueue(piece.length, options.signal, () => job));
    if ("conflict" in outcome) throw notNext(outcome.conflict, first);
    const last = only(piece.slice(-1));
    return { seq: last.seq, hash: last.eventHash };
  }

  read<T extends keyof E & string = keyof E & string>(
    options: ReadOptions<T> = {},
  ): AsyncIterableIterator<RecordedEvent<Pick<E, T>>, undefined> {
    const parser = new EventParser<Pick<E, T>>();
    return oneByOne(this.#records(options, true), (record) => parser.parse(record));
  }

  subscribe<T extends keyof E & string = keyof E & string>(
    options: SubscribeOptions<T> = {},
  ): Subscription<Pick<E, T>> {
    this.#checkOpen();
    const { derived: place } = this;
    const log = { source: this.#source, logHead: () => this.#writer.head(), place, runtime: this.#runtime };
    return new LogSubscription<Pick<E, T>>(log, options, this.#closing.signal);
  }

  readRecords(options: ReadOptions = {}): AsyncIterableIterator<StoredRecord, undefined> {
    return oneByOne(this.#records(options), ({ seq, eventHash, prevHash, line }) => ({
      seq,
      eventHash,
      prevHash,
      line,
    }));
  }

  #records(options: ReadOptions, versions = false): AsyncIterable<readonly RecordView[]> {
    return readVerified(this.#source, () => this.#writer.head(), options, versions);
  }

  aggregates(options: AggregatesOptions = {}): Promise<AggregatesPage> {
    return listAggregates(this.#source, () => this.#writer.head(), options);
  }

  head(): Promise<Head> {
    return this.#writer.head();
  }

  async getLastHash(): Promise<string> {
    return (await this.head()).hash;
  }

  async getEventHash(seq: number): Promise<string | null> {
    checkSeq("seq", seq);
    return this.#source.hashOf(seq);
  }

  verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    return verifyLog(this.#source, () => this.#writer.head(), options);
  }

  async settle(): Promise<Settled | null> {
    const settled = await this.#writer.settle();
    return settled && { committed: settled.committed, seq: settled.end.seq, eventHash: settled.end.hash };
  }

  resetHead(): Promise<HeadReset> {
    this.#checkOpen();
    return this.#writer.resetHead();
  }

  async compact(options: CompactOptions = {}): Promise<CompactionReport> {
    this.#checkOpen();
    return this.#upkeep.compact(options);
  }

  async prune(options: PruneOptions = {}): Promise<PruneReport> {
    this.#checkOpen();
    return this.#upkeep.prune(options);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#closing.abort();
    await this.#writer.close();
    await this.derived.objects.close();
  }

  /** Everything that can be refused without the log is refused here, before it takes a place in the queue. */
  async #append(events: readonly NewEvent<E>[], options: AppendOptions): Promise<Judged> {
    this.#checkOpen();
    const { expectedPrevHash, expectedVersion, signal } = options;
    if (expectedPrevHash !== undefined && !isHash(expectedPrevHash)) {
      throw new ConfigError("expectedPrevHash must be 64 lowercase hex digits", {
        hint: "give what head() or getLastHash() returned",
      });
    }
    if (!isArray(events)) throw new ConfigError("a batch is an array of events");
    // The array is the caller's, who may use it again while this waits for a place.
    const given = [...events];
    const count = given.length;
    checkCount(count);
    const prepare = (): PreparedEvent[] =>
      given.map((event) => prepareEvent(event, this.#hashVersion, () => this.#runtime.now()));
    const jobOf = (prepared: readonly PreparedEvent[], version?: ExpectedVersion): AppendJob => {
      const recordsAfter = (tail: Head): StoredRecord[] => {
        const records = encodeChain(prepared, tail);
        checkBytes(records);
        return records;
      };
      const bytes = prepared.reduce((sum, event) => sum + mostLineBytes(event), 0);
      return { count, bytes, recordsAfter, expectedPrevHash, version, signal };
    };
    if (expectedVersion === undefined) return judged(await this.#enqueue(count, signal, () => jobOf(prepare())));
    if (!Number.isSafeInteger(expectedVersion) || expectedVersion < 0) {
      throw new ConfigError(
        `expectedVersion must be the number of an aggregate's events, not ${String(expectedVersion)}`,
        {
          hint: "0 for an aggregate without events, else the version of its last event",
        },
      );
    }
    // It may be tried again: it stays what it was when it was given.
    const prepared = prepare();
    const outcome = await this.#versions.append(soleAggregate(given), expectedVersion, signal, (version) =>
      this.#enqueue(count, signal, () => jobOf(prepared, version)),
    );
    return judged(outcome);
  }

  /** Hands a job of `count` records to the writer; makes it when there is a place for it. */
  async #enqueue(count: number, signal: AbortSignal | undefined, make: () => AppendJob): Promise<AppendOutcome> {
    const place = this.#backlog.enter(count, signal);
    if (place) await place;
    let bytes = 0;
    try {
      let job: AppendJob;
      try {
        // It may have been closed while this waited.
        this.#checkOpen();
        job = make();
        bytes = job.bytes;
      } finally {
        this.#backlog.hold(bytes);
      }
      const outcome = await this.#writer.append(job);
      const last = "records" in outcome ? outcome.records.at(-1) : undefined;
      if (last) ring(this.derived, last.seq);
      return outcome;
    } finally {
      this.#backlog.leave(count, bytes);
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new EventStoreError("CLOSED", "the store was closed", { hint: "open it again" });
  }
}

/** The records of a piece of another log, verified among themselves. A line with a newline would be two lines here. */
function verifiedPiece(records: readonly StoredRecord[]): StoredRecord[] {
  let chain: ChainWalk | null = null;
  return records.map(({ line }) => {
    if (line.includes(0x0a))
      throw new EventStoreError("INVALID_EVENT", "a record holds a newline: one record is one line");
    // A line that says nothing of its place is left for the walk to judge.
    chain ??= new ChainWalk(placeBefore(line) ?? undefined);
    const { seq, eventHash, prevHash } = chain.accept(line);
    return { seq, eventHash, prevHash, line };
  });
}

/** Another place in the log than the piece belongs to is nobody's forgery: somebody else has appended, or it is another log. */
function notNext(tail: Head, first: StoredRecord): EventStoreError {
  return new EventStoreError(
    "NOT_NEXT",
    `the records, from seq ${String(first.seq)} on, do not continue this log, which ends at seq ${String(tail.seq)}; nothing was written`,
    {
      facts: { seq: first.seq, expected: first.prevHash, actual: tail.hash },
      hint: "somebody else appended meanwhile, or this is another log: compare the heads of both, then go on from there",
    },
  );
}

/** Callers in JavaScript may give anything; without narrowing the type of those who may not. */
function isArray(value: unknown): boolean {
  return Array.isArray(value);
}

function checkCount(count: number): void {
  if (count >= 1 && count <= MAX_BATCH_RECORDS) return;
  throw new EventStoreError(
    count === 0 ? "INVALID_CONFIG" : "TOO_LARGE",
    `a batch has 1 to ${String(MAX_BATCH_RECORDS)} events, not ${String(count)}`,
    {
      facts: { expected: MAX_BATCH_RECORDS, actual: count },
      hint: "split it: atomicity ends at one batch",
    },
  );
}

function checkBytes(records: readonly StoredRecord[]): void {
  const bytes = records.reduce((sum, record) => sum + lineBytes(record) + 1, 0);
  if (records.length <= 1 || bytes <= MAX_BATCH_BYTES) return;
  throw new EventStoreError(
    "TOO_LARGE",
    `the batch has ${String(bytes)} bytes; at most ${String(MAX_BATCH_BYTES)} are allowed`,
    {
      facts: { expected: MAX_BATCH_BYTES, actual: bytes },
      hint: "split it: atomicity ends at one batch",
    },
  );
}

/** `index`: its place among the records of its append, all of one aggregate when a version was expected. */
function committed(record: StoredRecord, index = 0, expectedVersion?: number): Committed {
  const { seq, eventHash, prevHash } = record;
  const version = expectedVersion === undefined ? {} : { version: expectedVersion + index + 1 };
  return { committed: true, seq, eventHash, prevHash, ...version };
}

function conflicting({ conflict, version }: Extract<Judged, { conflict: Head }>): Conflict {
  const observed = version === undefined ? {} : { observedVersion: version };
  return { committed: false, conflict: true, observedPrevHash: conflict.hash, ...observed };
}

type Judged = Exclude<AppendOutcome, { stale: true }>;

function judged(outcome: AppendOutcome): Judged {
  if ("stale" in outcome) throw new Error("an append without a version cannot be stale");
  return outcome;
}

/** The one aggregate that all events are of. */
function soleAggregate(events: readonly { readonly aggregateId: string }[]): string {
  const { aggregateId } = only(events);
  if (events.every((event) => event.aggregateId === aggregateId)) return aggregateId;
  throw new ConfigError("with expectedVersion, all events of a batch must be of one aggregate", {
    hint: "append a batch for each aggregate, or expect the log's last hash (expectedPrevHash) for all of them",
  });
}

function only<T>(items: readonly T[]): T {
  const [item] = items;
  if (item === undefined) throw new EventStoreError("INVALID_CONFIG", "nothing was appended");
  return item;
}
