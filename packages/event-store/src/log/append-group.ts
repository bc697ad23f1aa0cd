import { CommitUnknownError, EventStoreError, type ErrorFacts } from "../core/errors.js";
import type { Head, StoredRecord } from "../core/event.js";
import { aggregateKeyOf } from "../core/record.js";
import type { ExpectedVersion } from "./append-job.js";
import type { RecentAggregates } from "./recent-aggregates.js";
import type { AppendQueue, WaitingAppend } from "./append-queue.js";

/** What one write may hold. The first append always fits. */
export interface GroupLimits {
  readonly appends: number;
  readonly records: number;
  readonly bytes: number;
}

/** An append in its place in a group: its records, or the head at which its expectation failed. */
type Member = { readonly append: WaitingAppend } & (
  { readonly records: readonly StoredRecord[] } | { readonly conflict: Head; readonly version?: number | undefined }
);

/**
 * Appends that are written together, one behind the other, and hear of the outcome together. Each is judged by itself, at its
 * place: one that is refused, or whose expectation fails, leaves its neighbours alone. An expectation that fails against the
 * records of the group is answered only when they are in the log. It may be met behind another head, after a lost race: so
 * an append that fails has its room in the group all the same.
 */
export class AppendGroup {
  readonly records: readonly StoredRecord[];
  /** The log's last record once they are written. */
  readonly end: Head;
  /** Some of the records belong together. */
  readonly atomic: boolean;
  readonly #members: readonly Member[];
  readonly #recent: RecentAggregates;

  private constructor(members: readonly Member[], end: Head, recent: RecentAggregates) {
    this.#members = members;
    this.#recent = recent;
    const batches = members.flatMap((member) => ("records" in member ? [member.records] : []));
    this.records = batches.flat();
    this.atomic = batches.some((records) => records.length > 1);
    this.end = end;
  }

  /** Takes appends from the front of `waiting` as long as they fit into one write behind `head`. */
  static take(waiting: AppendQueue, head: Head, limits: GroupLimits, recent: RecentAggregates): AppendGroup {
    const members: Member[] = [];
    const versions = new Versions(recent, head, members);
    let end = head;
    let records = 0;
    let bytes = 0;
    while (members.length < limits.appends) {
      const append = waiting.peek();
      if (append === null) break;
      const { job } = append;
      if (records > 0 && (records + job.count > limits.records || bytes + job.bytes > limits.bytes)) break;
      const member = place(append, end, versions);
      // A refused one is settled, and so not waiting any more.
      if (member === null) continue;
      waiting.shift();
      append.begin();
      members.push(member);
      end = endOf(member, end);
      records += job.count;
      bytes += job.bytes;
    }
    return new AppendGroup(members, end, recent);
  }

  /** The same appends behind another head: after a lost race. */
  behind(head: Head): AppendGroup {
    const members: Member[] = [];
    const versions = new Versions(this.#recent, head, members);
    let end = head;
    for (const { append } of this.#members) {
      const member = place(append, end, versions);
      if (member === null) continue;
      members.push(member);
      end = endOf(member, end);
    }
    return new AppendGroup(members, end, this.#recent);
  }

  /** Appends in it. */
  get size(): number {
    return this.#members.length;
  }

  /** The number of its latest append, as the queue counts them. */
  get latest(): number {
    return this.#members.at(-1)?.append.number ?? -1;
  }

  /** The signal of an append that is alone in it. One of several cannot end what the others wait for. */
  get signal(): AbortSignal | undefined {
    const [only, other] = this.#members;
    return other ? undefined : only?.append.job.signal;
  }

  /** Each of them wants to stand behind a certain record. */
  get expecting(): boolean {
    return this.#members.every(({ append }) => append.job.expectedPrevHash !== undefined);
  }

  /** Some of them expect a version of their aggregate. */
  get versioned(): boolean {
    return this.#members.some(({ append }) => append.job.version !== undefined);
  }

  /** The records are in the log (or there are none, and the head they were judged against is the log's): tells the appends [from, to). */
  acknowledge(from = 0, to: number = this.size): void {
    for (const member of this.#members.slice(from, to)) {
      const { append } = member;
      if ("records" in member) append.resolve({ records: member.records });
      else append.resolve({ conflict: member.conflict, version: member.version });
    }
  }

  /** Nothing was written. */
  refuse(error: unknown): void {
    for (const { append } of this.#members) append.reject(error);
  }

  /** Each append is told of its own record; those that have none wrote nothing. */
  leaveUnknown(facts: ErrorFacts, cause: unknown): void {
    for (const member of this.#members) {
      const last = "records" in member ? member.records.at(-1) : undefined;
      const error = last
        ? new CommitUnknownError(last.seq, last.eventHash, { facts, cause })
        : blockedBy(new CommitUnknownError(this.end.seq, this.end.hash, { facts, cause }));
      member.append.reject(error);
    }
  }
}

/** An append's place behind `end`; null when it is refused, or must be counted for again, which is told it at once. */
function place(append: WaitingAppend, end: Head, versions: Versions): Member | null {
  const { expectedPrevHash, recordsAfter, version } = append.job;
  let observed: number | undefined;
  if (version) {
    const count = versions.of(version);
    if (count === null) {
      append.begin();
      append.resolve({ stale: true });
      return null;
    }
    observed = count;
  }
  if ((expectedPrevHash !== undefined && expectedPrevHash !== end.hash) || observed !== version?.expected)
    return { append, conflict: end, version: observed };
  try {
    return { append, records: recordsAfter(end) };
  } catch (error) {
    append.reject(error);
    return null;
  }
}

/** How many events an aggregate has, behind the members of a group that have their places. */
class Versions {
  readonly #recent: RecentAggregates;
  readonly #head: Head;
  readonly #members: readonly Member[];
  /** Of the first `#counted` members. */
  readonly #counts = new Map<string, number>();
  #counted = 0;

  constructor(recent: RecentAggregates, head: Head, members: readonly Member[]) {
    this.#recent = recent;
    this.#head = head;
    this.#members = members;
  }

  /** Null when that is not known. */
  of({ key, known, at }: ExpectedVersion): number | null {
    const since = this.#recent.count(key, at, this.#head);
    if (since === null) return null;
    for (; this.#counted < this.#members.length; this.#counted++) {
      const member = this.#members[this.#counted];
      for (const record of member && "records" in member ? member.records : []) {
        const its = aggregateKeyOf(record);
        this.#counts.set(its, (this.#counts.get(its) ?? 0) + 1);
      }
    }
    return known + since + (this.#counts.get(key) ?? 0);
  }
}

function endOf(member: Member, before: Head): Head {
  const last = "records" in member ? member.records.at(-1) : undefined;
  return last ? { seq: last.seq, hash: last.eventHash } : before;
}

/** Never COMMIT_UNKNOWN: a caller would take the fate of the earlier event for that of its own. */
export function blockedBy(earlier: CommitUnknownError): EventStoreError {
  const { facts, seq } = earlier;
  return new EventStoreError(
    "BLOCKED",
    `nothing was written: the outcome of an earlier append, at seq ${String(seq)}, is still unknown`,
    {
      facts,
      hint: "try again when the backend answers; whoever made the earlier append was told COMMIT_UNKNOWN",
      cause: earlier,
    },
  );
}
