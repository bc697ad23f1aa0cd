import { CommitUnknownError, type EventStoreError } from "../../core/errors.js";
import type { Head, StoredRecord } from "../../core/event.js";
import type { AppendJob, AppendOutcome } from "../../log/append-job.js";
import { abortedError } from "../../log/turns.js";

/** Appends share one write and one sync until their records have this many bytes. */
const GROUP_BYTES = 4 * 1024 * 1024;

/** An append that waits for its turn. Until that has come, its signal ends it at once. */
export class WaitingAppend {
  readonly #job: AppendJob;
  readonly #resolve: (outcome: AppendOutcome) => void;
  readonly #reject: (error: unknown) => void;
  readonly #onAbort = (): void => {
    if (this.#job.signal) this.reject(abortedError(this.#job.signal));
  };

  constructor(job: AppendJob, resolve: (outcome: AppendOutcome) => void, reject: (error: unknown) => void) {
    this.#job = job;
    this.#resolve = resolve;
    this.#reject = reject;
    if (job.signal?.aborted) this.#onAbort();
    else job.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Its turn has come: its records behind `head`; null when it is refused, which its neighbours do not mind. */
  begin(head: Head): readonly StoredRecord[] | null {
    const { signal, expectedPrevHash, recordsAfter } = this.#job;
    signal?.removeEventListener("abort", this.#onAbort);
    try {
      if (signal?.aborted) throw abortedError(signal);
      if (expectedPrevHash === undefined || expectedPrevHash === head.hash) return recordsAfter(head);
      this.resolve({ conflict: head });
    } catch (error) {
      this.reject(error);
    }
    return null;
  }

  resolve(outcome: AppendOutcome): void {
    this.#job.signal?.removeEventListener("abort", this.#onAbort);
    this.#resolve(outcome);
  }

  reject(error: unknown): void {
    this.#job.signal?.removeEventListener("abort", this.#onAbort);
    this.#reject(error);
  }
}

/** Appends that are written together, one behind the other. */
export class AppendGroup {
  readonly records: readonly StoredRecord[];
  /** The log's last record once they are written. */
  readonly end: Head;
  /** Some of the records belong together. */
  readonly atomic: boolean;
  readonly #accepted: readonly Accepted[];

  private constructor(accepted: readonly Accepted[], end: Head) {
    this.#accepted = accepted;
    this.records = accepted.flatMap(({ records }) => records);
    this.atomic = accepted.some(({ records }) => records.length > 1);
    this.end = end;
  }

  /** Takes appends from the front of `waiting` as long as they fit into one write. */
  static take(waiting: WaitingAppend[], head: Head): AppendGroup {
    const accepted: Accepted[] = [];
    let end = head;
    for (let bytes = 0; bytes < GROUP_BYTES;) {
      const append = waiting.shift();
      if (append === undefined) break;
      const records = append.begin(end);
      const last = records?.at(-1);
      if (!records || !last) continue;
      accepted.push({ append, records, last });
      end = { seq: last.seq, hash: last.eventHash };
      for (const { line } of records) bytes += line.length;
    }
    return new AppendGroup(accepted, end);
  }

  acknowledge(): void {
    for (const { append, records } of this.#accepted) append.resolve({ records });
  }

  refuse(error: unknown): void {
    for (const { append } of this.#accepted) append.reject(error);
  }

  /** Each append is told of its own record. */
  leaveUnknown(cause: EventStoreError): void {
    const { facts } = cause;
    for (const { append, last } of this.#accepted)
      append.reject(new CommitUnknownError(last.seq, last.eventHash, { facts, cause }));
  }
}

interface Accepted {
  readonly append: WaitingAppend;
  readonly records: readonly StoredRecord[];
  readonly last: StoredRecord;
}
