import { EventStoreError } from "../core/errors.js";
import { GENESIS_HASH, type NewEvent } from "../core/event.js";
import { encodeRecord, prepareEvent } from "../core/record.js";
import { EventParser } from "../core/recorded-event.js";
import { viewRecord } from "../core/record-view.js";
import type { Acknowledged, AppendInvocation, History, ReadInvocation } from "./history.js";

/** A record of the final log, read by the checker itself. */
interface Place {
  readonly line: Buffer;
  readonly seq: number;
  readonly eventHash: string;
  readonly prevHash: string;
  readonly hashVersion: 1 | 2;
  readonly ts: number | bigint;
  readonly aggregateId: string;
  /** Which of its aggregate's events it is, the first being 1. */
  readonly version: number;
}

/**
 * Compares a history with its log in the end, such as `store.readRecords()`; what is thrown on the way (a
 * VerificationError, a line that is no record) is a violation, too. Returns all violations, for people; none is best.
 *
 * Acknowledged records are where they were said to be, byte for byte. Seqs have no gap. Who began after somebody was
 * told of a seq got a higher one, or read at least that far. Reads and heads show what the log has. What ended in a
 * conflict or failed is not there, what is unknown at most once, a batch never in part, and nothing that nobody appended.
 */
export async function checkHistory(
  history: History,
  log: AsyncIterable<{ readonly line: Buffer }> | Iterable<{ readonly line: Buffer }>,
): Promise<string[]> {
  const places: Place[] = [];
  const versions = new Map<string, number>();
  const broken: string[] = [];
  try {
    for await (const { line } of log) places.push(placeOf(line, versions));
  } catch (error) {
    const code = error instanceof EventStoreError ? `${error.code}: ` : "";
    broken.push(`the log breaks off at seq ${String(places.length)}: ${code}${String(error)}`);
  }
  const claims = new Claims(places, history.appends);
  return [
    ...broken,
    ...checkChain(places),
    ...claims.check(),
    ...history.reads.flatMap((read) => [...checkRead(read, places)]),
  ];
}

function placeOf(line: Buffer, versions: Map<string, number>): Place {
  const view = viewRecord(line);
  const { seq, eventHash, prevHash, hashVersion, ts, aggregateId } = new EventParser().parse(view);
  const version = (versions.get(aggregateId) ?? 0) + 1;
  versions.set(aggregateId, version);
  return { line, seq, eventHash, prevHash, hashVersion, ts, aggregateId, version };
}

function* checkChain(places: readonly Place[]): Generator<string> {
  let prevHash = GENESIS_HASH;
  for (const [i, place] of places.entries()) {
    if (place.seq !== i) yield `seq ${String(i)}: the record there says seq ${String(place.seq)}`;
    if (place.prevHash !== prevHash) yield `seq ${String(i)}: it does not link to the record before it`;
    prevHash = place.eventHash;
  }
}

/** Which append each record of the log is from. */
class Claims {
  readonly #places: readonly Place[];
  readonly #appends: readonly AppendInvocation[];
  readonly #owners = new Map<number, AppendInvocation>();

  constructor(places: readonly Place[], appends: readonly AppendInvocation[]) {
    this.#places = places;
    this.#appends = appends;
  }

  *check(): Generator<string> {
    for (const append of this.#appends) {
      if (append.outcome.kind === "committed") yield* this.#checkCommitted(append, append.outcome.records);
      if (append.outcome.kind === "conflict") yield* this.#checkConflict(append, append.outcome);
    }
    for (const seq of this.#places.keys()) if (!this.#owners.has(seq)) yield* this.#explain(seq);
  }

  *#checkCommitted(append: AppendInvocation, records: readonly Acknowledged[]): Generator<string> {
    const { name, events, floor } = append;
    const first = records[0]?.seq ?? -1;
    if (records.length !== events.length)
      yield `${name} has ${String(events.length)} events, but ${String(records.length)} were acknowledged`;
    if (first <= floor)
      yield `${name} got seq ${String(first)}, but seq ${String(floor)} had been told before it began`;
    if (!this.#expectationHeld(append, first))
      yield `${name} committed behind another hash, or version of its aggregate, than it expected`;
    for (const [i, { seq, eventHash }] of records.entries()) {
      const event = events[i];
      const place = this.#places[seq];
      if (seq !== first + i) yield `${name}: the seqs of its batch are not consecutive`;
      if (place === undefined) yield `${name} was acknowledged at seq ${String(seq)}, but the log ends before`;
      else if (place.eventHash !== eventHash)
        yield `${name} was acknowledged at seq ${String(seq)} with hash ${eventHash}, but the log has ${place.eventHash}`;
      else if (event === undefined || !isRecordOf(event, place))
        yield `${name} was acknowledged at seq ${String(seq)}, but other bytes are stored: ${text(place)}`;
      const other = this.#owners.get(seq);
      if (other) yield `${name} and ${other.name} were both acknowledged at seq ${String(seq)}`;
      this.#owners.set(seq, append);
    }
  }

  *#checkConflict(
    { name, events, expectedPrevHash, expectedVersion, floor }: AppendInvocation,
    { observed, observedVersion }: Extract<AppendInvocation["outcome"], { kind: "conflict" }>,
  ): Generator<string> {
    const seq =
      observed === GENESIS_HASH ? -1 : (this.#places.find(({ eventHash }) => eventHash === observed)?.seq ?? null);
    const id = events[0]?.aggregateId;
    const version =
      this.#places.findLast((place) => place.aggregateId === id && place.seq <= (seq ?? -1))?.version ?? 0;
    if (expectedVersion !== undefined && observedVersion !== version)
      yield `${name} was told that its aggregate had version ${String(observedVersion)}, but it had ${String(version)}`;
    const otherHash = expectedPrevHash !== undefined && observed !== expectedPrevHash;
    if (!otherHash && (expectedVersion === undefined || observedVersion === expectedVersion))
      yield `${name} ended in a conflict with what it expected`;
    if (seq === null) yield `${name} ended in a conflict with a hash that the log has not: ${observed}`;
    else if (seq < floor)
      yield `${name} ended in a conflict with seq ${String(seq)}, but seq ${String(floor)} had been told before it began`;
  }

  /** A record that nobody was acknowledged: it must be, as a whole, an append whose outcome is unknown. */
  *#explain(seq: number): Generator<string> {
    const place = this.#places[seq];
    if (place === undefined) return;
    const taken = new Set(this.#owners.values());
    const author = this.#appends.find(
      (append) =>
        append.outcome.kind === "unknown" && !taken.has(append) && append.floor < seq && this.#isWhole(append, seq),
    );
    if (author) {
      for (const i of author.events.keys()) this.#owners.set(seq + i, author);
      return;
    }
    const alike = this.#appends.filter(({ events }) => events.some((event) => isRecordOf(event, place)));
    const known = alike.map(({ name, outcome, floor }) => {
      if (outcome.kind === "committed")
        return `${name} committed at seq ${outcome.records.map((record) => String(record.seq)).join(", ")}`;
      return outcome.kind === "unknown"
        ? `${name}, its outcome unknown, can explain one whole write above seq ${String(floor)}`
        : `${name} ended as ${outcome.kind}`;
    });
    yield `seq ${String(seq)} should not be there (${known.length > 0 ? known.join("; ") : "nobody appended it"}): ${text(place)}`;
  }

  #isWhole(append: AppendInvocation, seq: number): boolean {
    const fits = (event: NewEvent, i: number): boolean => {
      const place = this.#places[seq + i];
      return place !== undefined && !this.#owners.has(seq + i) && isRecordOf(event, place);
    };
    return this.#expectationHeld(append, seq) && append.events.every(fits);
  }

  #expectationHeld({ expectedPrevHash, expectedVersion }: AppendInvocation, seq: number): boolean {
    const place = this.#places[seq];
    if (place === undefined) return true;
    if (expectedVersion !== undefined && place.version !== expectedVersion + 1) return false;
    return expectedPrevHash === undefined || place.prevHash === expectedPrevHash;
  }
}

function* checkRead(
  { name, from, floor, seen, reachedEnd }: ReadInvocation,
  places: readonly Place[],
): Generator<string> {
  for (const [i, { seq, eventHash }] of seen.entries()) {
    if (from !== null && seq !== from + i)
      yield `${name} showed seq ${String(seq)} in the place of seq ${String(from + i)}`;
    if (places[seq]?.eventHash !== eventHash)
      yield `${name} showed a record at seq ${String(seq)} that the log has not: ${eventHash}`;
  }
  const last = seen.at(-1)?.seq ?? -1;
  if (reachedEnd && floor >= (from ?? 0) && last < floor)
    yield `${name} ended at seq ${String(last)}, but seq ${String(floor)} had been told before it began`;
}

/** The record that this event makes in this place, made anew, has the stored bytes. A ts that was left to the store's clock may be any. */
function isRecordOf(event: NewEvent, { line, seq, prevHash, hashVersion, ts }: Place): boolean {
  const prepared = prepareEvent({ ...event, ts: event.ts ?? ts }, hashVersion, () => 0);
  return encodeRecord(prepared, seq, prevHash).line.equals(line);
}

function text({ line }: Place): string {
  return line.length > 200 ? `${line.toString("utf8", 0, 200)}…` : line.toString();
}
