import { ChainWalk, checkAlone, type LineOrigin, type WalkedLines } from "../../core/chain.js";
import { VerificationError, type ErrorFacts } from "../../core/errors.js";
import { GENESIS_HASH, type Anchor, type Head } from "../../core/event.js";
import { isBlank } from "../../core/lines.js";
import type { RecordView } from "../../core/record-view.js";
import type { WalkRange } from "../../log/reader.js";
import { seqOf } from "./locate.js";

/**
 * Finds the anchor of a range among the lines of a log, and verifies everything behind it. What stands before the anchor is
 * passed over, good or bad: it is not of the range.
 */
export class RangeWalk {
  readonly #range: WalkRange;
  /** The first seq that matters: the anchor's, or, when the caller gave that, the range's. */
  readonly #target: number;
  #chain: ChainWalk | null = null;
  /** Last seq that was passed over. */
  #passed = -1;
  /** The last line passed over that is no record. Should the target be missing, this stands in its place. */
  #unreadable: { readonly line: Buffer; readonly origin: LineOrigin } | null = null;

  constructor(range: WalkRange) {
    this.#range = range;
    const { fromSeq, anchor, onAnchor } = range;
    this.#target = anchor ? fromSeq : fromSeq - 1;
    if (anchor) onAnchor({ ...anchor, source: "caller" });
    if (fromSeq > 0) return;
    if (!anchor) onAnchor({ seq: -1, hash: GENESIS_HASH, source: "genesis" });
    this.#chain = new ChainWalk(anchor);
  }

  /** The chain has begun: everything is of the range, or breaks it. */
  get started(): boolean {
    return this.#chain !== null;
  }

  /** The seq that is expected next. */
  get next(): number {
    return this.#chain ? this.#chain.head.seq + 1 : this.#passed + 1;
  }

  /** The record that matters next: before the walk has started, the one that it is to begin with. */
  get awaited(): number {
    return this.#chain ? this.next : this.#target;
  }

  /** The record that the range ends with was seen. */
  get done(): boolean {
    return this.#chain !== null && this.#chain.head.seq >= this.#range.toSeq;
  }

  /** The last good record; of no meaning before the walk has started. */
  get head(): Head {
    return this.#chain?.head ?? { seq: -1, hash: GENESIS_HASH };
  }

  /** Goes on behind `head`: what lies between was verified by others. */
  skipTo(head: Head): void {
    this.#chain = new ChainWalk(head);
  }

  /** Takes the lines of a block. `atEnd`: the log ends with it, so its last line may be torn. */
  accept(bytes: Buffer, { atEnd, facts }: { readonly atEnd: boolean; readonly facts: ErrorFacts }): WalkedLines {
    const { toSeq, wanted } = this.#range;
    const found: RecordView[] = [];
    let from = 0;
    let count = 0;
    while (this.#chain === null && from < bytes.length) {
      const newline = bytes.indexOf(0x0a, from);
      const end = newline < 0 ? bytes.length : newline;
      const line = bytes.subarray(from, end);
      try {
        const view = isBlank(line) ? null : this.#approach(line, { unterminated: atEnd && newline < 0, facts });
        if (view) count++;
        if (view && (wanted === undefined || wanted(view))) found.push(view);
      } catch (error) {
        if (error instanceof VerificationError) return { records: found, count, end: from, fault: error };
        throw error;
      }
      from = Math.min(end + 1, bytes.length);
    }
    if (this.#chain === null || this.done) return { records: found, count, end: from, fault: null };
    const walked = this.#chain.acceptLines(bytes, { from, limit: toSeq - this.head.seq, wanted, atEnd, facts });
    return found.length === 0 && count === 0
      ? walked
      : { ...walked, records: [...found, ...walked.records], count: count + walked.count };
  }

  /** A line before the chain has begun: it may begin it. The record, when it is of the range. @throws VerificationError */
  #approach(line: Buffer, origin: LineOrigin): RecordView | null {
    if (this.#passesOver(line, origin)) return null;
    const { anchor, onAnchor, toSeq } = this.#range;
    if (!anchor) {
      const view = checkAlone(line, this.#target, origin);
      const found: Anchor = { seq: view.seq, hash: view.eventHash, source: "record" };
      onAnchor(found);
      this.#chain = new ChainWalk(found);
      return null;
    }
    const chain = new ChainWalk(anchor);
    const view = chain.accept(line, origin);
    this.#chain = chain;
    return view.seq > toSeq ? null : view;
  }

  #passesOver(line: Buffer, origin: LineOrigin): boolean {
    const seq = seqOf(line);
    if (seq === null) {
      if (this.#passed === this.#target - 1 || origin.unterminated) return false;
      this.#unreadable = { line, origin };
      return true;
    }
    if (seq < this.#target) {
      this.#passed = seq;
      return true;
    }
    if (seq > this.#target && this.#unreadable)
      checkAlone(this.#unreadable.line, this.#target, this.#unreadable.origin);
    return false;
  }
}
