import { decodeAscii, decodeUtf8 } from "./decode.js";
import { pointerOf, type BrokenPointer, type Pointer } from "./pointer.js";
import { EVENT_HASH_FROM_END, type RecordFields } from "./record-scan.js";

/** Bytes of a hash. */
export const HASH_BYTES = 32;

/** What checking links needs to know of some records in a row. Plain data: it crosses threads. */
export interface LinkNotes {
  /** Seq of the first record. */
  readonly first: number;
  readonly count: number;
  /** Their event hashes, 32 bytes each. */
  readonly hashes: Uint8Array;
  /** Their types, as places in `typeNames`. */
  readonly types: Uint32Array;
  /** As they stand in the records: quoted, in canonical JSON. */
  readonly typeNames: readonly string[];
  readonly pointers: readonly (Pointer | BrokenPointer)[];
}

const HEX_DIGITS = 64;
const LEAST_RECORDS = 256;

/** Takes notes of good records, each in its turn. */
export class LinkNotebook {
  #first = 0;
  #count = 0;
  #hashes = Buffer.alloc(0);
  #types = new Uint32Array(0);
  #typeNames: string[] = [];
  #places = new Map<string, number>();
  #pointers: (Pointer | BrokenPointer)[] = [];

  /** Call it for each good record, in order. */
  add(fields: RecordFields): void {
    const { bytes, end, seq } = fields;
    if (this.#count === 0) this.#first = seq;
    if (this.#count * HASH_BYTES === this.#hashes.length) this.#grow();
    const from = end - EVENT_HASH_FROM_END;
    this.#hashes.write(decodeAscii(bytes, from, from + HEX_DIGITS), this.#count * HASH_BYTES, "hex");
    this.#types[this.#count] = this.#typeOf(fields);
    this.#count++;
    const pointer = pointerOf(fields);
    if (pointer) this.#pointers.push(pointer);
  }

  /** What was noted since the last call; null when that is nothing. */
  take(): LinkNotes | null {
    if (this.#count === 0) return null;
    const notes = {
      first: this.#first,
      count: this.#count,
      hashes: this.#hashes.subarray(0, this.#count * HASH_BYTES),
      types: this.#types.subarray(0, this.#count),
      typeNames: this.#typeNames,
      pointers: this.#pointers,
    };
    this.#count = 0;
    this.#hashes = Buffer.alloc(0);
    this.#types = new Uint32Array(0);
    this.#typeNames = [];
    this.#places = new Map();
    this.#pointers = [];
    return notes;
  }

  #typeOf({ bytes, typeStart, typeEnd }: RecordFields): number {
    const name = decodeUtf8(bytes, typeStart, typeEnd);
    let place = this.#places.get(name);
    if (place === undefined) {
      place = this.#typeNames.push(name) - 1;
      this.#places.set(name, place);
    }
    return place;
  }

  #grow(): void {
    const records = Math.max(LEAST_RECORDS, 2 * this.#count);
    const hashes = Buffer.allocUnsafe(records * HASH_BYTES);
    this.#hashes.copy(hashes);
    const types = new Uint32Array(records);
    types.set(this.#types);
    this.#hashes = hashes;
    this.#types = types;
  }
}
