import { EventStoreError } from "../../core/errors.js";
import type { Anchor, Head } from "../../core/event.js";
import { anchorDiffers, endsBefore } from "../../core/head-check.js";
import type { RecordView } from "../../core/record-view.js";
import { onAbort } from "../../system/on-abort.js";
import { backOff, type Runtime } from "../../system/runtime.js";
import type { DerivedPlace } from "../port.js";
import { recordFilter, walkVerified, type ReadStep } from "../reading.js";
import type { RecordSource, TailWatch } from "../record-source.js";
import { listen } from "./bell.js";
import { Pace } from "./pace.js";
import type { SubscriptionFilter } from "./port.js";

/** The log that is followed. */
export interface FollowedLog {
  readonly source: RecordSource;
  readonly logHead: () => Promise<Head>;
  readonly place: DerivedPlace;
  readonly runtime: Runtime;
}

export interface FollowOptions {
  readonly from: number;
  readonly to: number;
  readonly anchor?: Head | undefined;
  readonly filter: SubscriptionFilter;
  readonly pollMs: number;
  readonly signal: AbortSignal;
  readonly onAnchor: (anchor: Anchor) => void;
  readonly onTrouble: (error: EventStoreError) => void;
}

/** What a log has behind what came before, verified as linking to it. */
export interface Piece {
  /** Those records that pass the filter. */
  readonly records: readonly RecordView[];
  /** The last record of the piece, whether it passes or not. */
  readonly head: Head;
  /** Nothing was to be seen behind it. */
  readonly atEnd: boolean;
}

/** Objects that were found one by one, before a read, which asks for many at once, takes over. */
const LOOKS_BEFORE_READ = 4;
const FIRST_BACK_OFF_MS = 1_000;
const LONGEST_BACK_OFF_MS = 30_000;

/**
 * Reads a log to its end, then looks for what is appended behind it. Invariant: `#head` is the last record of the last piece given, and
 * whatever comes next, by whichever way, must link to it. So a fault on the way can neither skip a record nor repeat one.
 */
export class Follower {
  readonly #log: FollowedLog;
  readonly #options: FollowOptions;
  readonly #watch: TailWatch;
  readonly #pace: Pace;
  readonly #matches: (record: RecordView) => boolean;
  #head: Head | null = null;
  #known = -1;
  /** An append of this process was heard of since the last look began. */
  #rung = false;
  #wake: (() => void) | null = null;
  /** In a row, nothing having been heard of the backend in between. */
  #failures = 0;

  constructor(log: FollowedLog, options: FollowOptions) {
    const { from, filter, pollMs } = options;
    this.#log = log;
    this.#options = options;
    this.#watch = log.source.watch();
    this.#pace = new Pace(pollMs);
    const passes = recordFilter(filter) ?? ((): boolean => true);
    // Where the log ended before `from`, it is followed from its end.
    this.#matches = (record) => record.seq >= from && passes(record);
  }

  /** The last record of the last piece; before the first, what the verification starts from. */
  get head(): Head | null {
    return this.#head;
  }

  /** The last seq that the log is known to have. */
  get known(): number {
    return this.#known;
  }

  /** Ends, without an error, when `to` was passed or the signal is aborted. @throws VerificationError, BackendError */
  async *pieces(): AsyncGenerator<Piece, void, undefined> {
    const { signal } = this.#options;
    const stopListening = listen(this.#log.place, (seq) => this.#hear(seq));
    const release = onAbort(signal, () => this.#wake?.());
    try {
      let checked = false;
      while (!this.#isOver()) {
        try {
          if (!checked) await this.#checkAnchor();
          checked = true;
          yield* this.#readToEnd();
          if (!this.#isOver()) yield* this.#lookOn();
        } catch (error) {
          if (signal.aborted) return;
          await this.#outlast(error);
        }
      }
    } finally {
      release();
      stopListening();
    }
  }

  /** It was ended, or `to` was passed. */
  #isOver(): boolean {
    const { signal, to } = this.#options;
    return signal.aborted || (this.#head !== null && this.#head.seq >= to);
  }

  /** A log that does not reach the anchor, or has another record there, would show it only with its next record, if ever. */
  async #checkAnchor(): Promise<void> {
    const { anchor, signal } = this.#options;
    if (anchor === undefined || anchor.seq < 0) return;
    const actual = await this.#log.source.hashOf(anchor.seq, signal);
    if (actual === anchor.hash) return;
    if (actual !== null) throw anchorDiffers(anchor, actual);
    const end = await this.#log.logHead();
    // The beginning of a log may be gone: then the next record has to link to the anchor.
    if (end.seq <= anchor.seq) throw endsBefore(anchor.seq, end);
  }

  async *#readToEnd(): AsyncGenerator<Piece, void, undefined> {
    const { from, to, anchor, filter, signal } = this.#options;
    const range = this.#head ? { anchor: this.#head } : { fromSeq: from, anchor };
    const onAnchor = (found: Anchor): void => this.#begin(found);
    // Every record is chained to the one before it: an index would leave out those that do not pass.
    const options = { ...range, ...filter, toSeq: to, verify: "chain" as const, signal, onAnchor };
    for await (const step of walkVerified(this.#log.source, this.#log.logHead, options)) {
      yield this.#pass(step, step.knownEnd);
    }
    this.#failures = 0;
    if (this.#head === null) await this.#beginAtEnd();
    if (this.#head !== null) yield { records: [], head: this.#head, atEnd: true };
  }

  /** Until there is more than looks are good for. */
  async *#lookOn(): AsyncGenerator<Piece, void, undefined> {
    const { to: toSeq, signal } = this.#options;
    let found = 0;
    while (this.#head !== null) {
      if (found === 0) await this.#pause();
      if (signal.aborted) return;
      this.#rung = false;
      const look = await this.#watch.look(this.#head, { sure: this.#pace.mustBeSure, toSeq, signal });
      this.#failures = 0;
      if (look === "more") {
        // Should the read find nothing, this counts as a look that found nothing.
        this.#pace.foundNothing();
        return;
      }
      if (look === null) {
        found = 0;
        this.#pace.foundNothing();
        yield { records: [], head: this.#head, atEnd: true };
      } else {
        yield this.#pass(look, look.head.seq);
        if (++found === LOOKS_BEFORE_READ || this.#isOver()) return;
      }
    }
  }

  #pass({ records, head }: Pick<ReadStep, "records" | "head">, knownEnd: number): Piece {
    this.#known = Math.max(this.#known, knownEnd);
    this.#head = head;
    this.#failures = 0;
    this.#pace.found();
    return { records: records.filter(this.#matches), head, atEnd: false };
  }

  #begin(anchor: Anchor): void {
    if (this.#head !== null) return;
    this.#head = { seq: anchor.seq, hash: anchor.hash };
    this.#known = Math.max(this.#known, anchor.seq);
    this.#options.onAnchor(anchor);
  }

  /** The log ended before `from`: what comes until then is verified and left out. If it has reached it by now, it is read again. */
  async #beginAtEnd(): Promise<void> {
    const end = await this.#log.logHead();
    if (end.seq < this.#options.from - 1) this.#begin({ ...end, source: end.seq < 0 ? "genesis" : "record" });
  }

  #hear(seq: number): void {
    this.#known = Math.max(this.#known, seq);
    this.#rung = true;
    this.#wake?.();
  }

  async #pause(): Promise<void> {
    if (this.#rung) return;
    await this.#sleep(this.#pace.pauseMs);
  }

  /** Ends early when the bell rings, or with the signal. */
  async #sleep(ms: number): Promise<void> {
    const awake = new AbortController();
    this.#wake = (): void => awake.abort();
    try {
      await this.#log.runtime.sleep(ms, awake.signal);
    } finally {
      this.#wake = null;
    }
  }

  /** What may pass is waited for; everything else is the subscriber's to know. */
  async #outlast(error: unknown): Promise<void> {
    if (!(error instanceof EventStoreError) || error.code !== "UNAVAILABLE") throw error;
    if (this.#failures === 0) this.#options.onTrouble(error);
    const pause = backOff(this.#log.runtime, this.#failures++, FIRST_BACK_OFF_MS, LONGEST_BACK_OFF_MS);
    await this.#sleep(this.#pace.pauseMs + pause);
  }
}
