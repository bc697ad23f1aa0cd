import { decodeAscii } from "./decode.js";
import { EVENT_HASH_FROM_END, type RecordFields } from "./record-scan.js";

const HASH_BYTES = 32;
const HEX_DIGITS = 64;
const LEAST_RECORDS = 256;

/** Notes the event_hash of each good record, by its seq, as 32 raw bytes: a record that a walk comes by twice is noted once. */
export class HashNotebook {
  #first = 0;
  /** Records noted. */
  #count = 0;
  #hashes: Buffer = Buffer.alloc(0);

  /** Call it for each good record, in order. */
  add({ bytes, end, seq }: RecordFields): void {
    if (this.#count === 0) this.#first = seq;
    const place = seq - this.#first;
    if ((place + 1) * HASH_BYTES > this.#hashes.length) this.#grow(place + 1);
    const from = end - EVENT_HASH_FROM_END;
    this.#hashes.write(decodeAscii(bytes, from, from + HEX_DIGITS), place * HASH_BYTES, "hex");
    this.#count = place + 1;
  }

  /** The hashes of the `count` records up to `last`; what was noted behind it stays. */
  take(count: number, last: number): Buffer {
    const end = last + 1 - this.#first;
    if (end > this.#count || count > end) throw new Error("a record was verified, but not noted");
    const taken = this.#hashes.subarray((end - count) * HASH_BYTES, end * HASH_BYTES);
    const rest = this.#hashes.subarray(end * HASH_BYTES, this.#count * HASH_BYTES);
    this.#count -= end;
    this.#first = last + 1;
    this.#hashes = Buffer.from(rest);
    return taken;
  }

  #grow(records: number): void {
    // Of its own: it may cross threads.
    const hashes = Buffer.allocUnsafeSlow(Math.max(LEAST_RECORDS, 2 * records) * HASH_BYTES);
    this.#hashes.copy(hashes);
    this.#hashes = hashes;
  }
}
