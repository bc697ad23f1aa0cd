import { isUtf8 } from "node:buffer";
import { hash } from "node:crypto";
import { decodeAscii } from "./decode.js";
import { MAX_RECORD_BYTES } from "./event.js";
import { SCAN_MARGIN } from "./json/canonical-scan.js";
import { EVENT_HASH_FROM_END, EVENT_START, EVENT_TAIL, PREV_HASH_FROM_END, RecordScan } from "./record-scan.js";
import { RecordView } from "./record-view.js";

const NEWLINE = 0x0a;
const HASH_DIGITS = 64;

/** In front of a block: the hash that its first record must link to, and room for the hash in front of that record's event. */
const HEADROOM = 2 * HASH_DIGITS;
const LEAST_BYTES = 4 * 1024;

/**
 * Verifies good records at the speed of one scan and one hash each. It works on a copy of a block of lines: what a hash is
 * taken over, the previous hash and the event behind it, is brought together in place, over bytes of the copy that were done with.
 *
 * It never judges. What it accepts is the next record for certain: canonical bytes, the expected seq, linked, hashed. Anything
 * else (a fault, another spelling, a blank line) it leaves to `ChainWalk.accept`, whose verdicts are the only ones.
 */
export class Stride {
  #work: Buffer = Buffer.alloc(0);
  /** The same bytes: four at a time. */
  #words: DataView = new DataView(new ArrayBuffer(0));
  readonly #scan: RecordScan = new RecordScan();
  /** Where the block ends in the copy. */
  #end = 0;
  /** From an offset in the block to that in the copy. */
  #shift = 0;
  /** Where in the copy the hash stands that the next record must link to, and that hash. */
  #hashAt = 0;
  #hash = "";

  /** Takes up the lines [from, to) of `block`; false when they are not valid UTF-8, and not for this. */
  load(block: Buffer, from: number, to: number): boolean {
    if (!isUtf8(from === 0 && to === block.length ? block : block.subarray(from, to))) return false;
    const end = HEADROOM + to - from;
    const needed = end + SCAN_MARGIN;
    if (needed > this.#work.length) {
      this.#work = Buffer.allocUnsafeSlow(Math.max(needed, LEAST_BYTES, Math.min(2 * this.#work.length, 2 * needed)));
      this.#words = new DataView(this.#work.buffer);
      this.#scan.use(this.#work);
    }
    block.copy(this.#work, HEADROOM, from, to);
    // Over what an earlier block may have left there.
    this.#work.fill(NEWLINE, end, needed);
    this.#end = end;
    this.#shift = HEADROOM - from;
    this.#hash = "";
    return true;
  }

  /** The fields of the record that was accepted last, in the copy. */
  get fields(): RecordScan {
    return this.#scan;
  }

  /** Offset in the block behind the record that was accepted last. */
  get end(): number {
    return this.#scan.end - this.#shift;
  }

  /**
   * Takes the line at offset `at` of the block if it is record `seq` and links to `prevHash`.
   * @returns its event_hash; null when that is not certain
   */
  accept(at: number, seq: number, prevHash: string): string | null {
    const scan = this.#scan;
    const work = this.#work;
    const words = this.#words;
    const start = at + this.#shift;
    if (!scan.read(start) || scan.seq !== seq) return null;
    const { end } = scan;
    if (end > this.#end || work[end] !== NEWLINE || end - start > MAX_RECORD_BYTES) return null;
    if (prevHash.length !== HASH_DIGITS) return null;
    if (prevHash !== this.#hash) {
      work.write(prevHash, 0, "latin1");
      this.#hashAt = 0;
    }
    const input = start + EVENT_START - HASH_DIGITS;
    const linked = end - PREV_HASH_FROM_END;
    for (let i = 0; i < HASH_DIGITS; i += 4) {
      const digits = words.getInt32(this.#hashAt + i);
      if (words.getInt32(linked + i) !== digits) return null;
      words.setInt32(input + i, digits);
    }
    const computed = hash("sha256", work.subarray(input, end - EVENT_TAIL));
    const stated = end - EVENT_HASH_FROM_END;
    if (decodeAscii(work, stated, stated + HASH_DIGITS) !== computed) return null;
    this.#hashAt = stated;
    this.#hash = computed;
    return computed;
  }

  /** The record that was accepted last, in the block itself. */
  view(block: Buffer, prevHash: string): RecordView {
    return new RecordView(block, this.#scan, -this.#shift, this.#hash, prevHash);
  }
}
