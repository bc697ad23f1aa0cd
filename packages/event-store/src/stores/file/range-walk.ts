import { ChainWalk, checkAlone, type LineOrigin } from "../../core/chain.js";
import { GENESIS_HASH, type Anchor } from "../../core/event.js";
import type { VerifiedRecord } from "../../log/event-object.js";
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

  /** Null for a record before the range. @throws VerificationError */
  accept(line: Buffer, origin: LineOrigin): VerifiedRecord | null {
    if (this.#chain === null) {
      if (this.#passesOver(line, origin)) return null;
      const { anchor, onAnchor } = this.#range;
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
      return { line, view };
    }
    return { line, view: this.#chain.accept(line, origin) };
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
