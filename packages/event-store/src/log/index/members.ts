import { hash } from "node:crypto";
import { promisify } from "node:util";
import { gunzip, gzip, type ZlibOptions } from "node:zlib";
import { IndexUnusable } from "./unusable.js";

const compress = promisify<Buffer, ZlibOptions, Buffer>(gzip);
const decompress = promisify<Buffer, { maxOutputLength: number }, Buffer>(gunzip);

/** The byte of a gzip header that names the operating system; 255: unknown, so that the bytes do not depend on it. */
const OS_BYTE = 9;
const UNKNOWN_OS = 255;
/**
 * For blocks of 32 KiB: with a window of 8 KiB and a small table, zlib's own state is a quarter of its usual size, which takes longer to
 * come by than such a block takes to compress; and blocks of similar lines become no larger.
 */
const SMALL: ZlibOptions = { windowBits: 13, memLevel: 6, chunkSize: 12 * 1024 };
/** Members that are compressed at a time, in Node's threads. */
const AHEAD = 4;

/** Where a gzip member stands in an index file, in bytes. */
export interface Place {
  readonly offset: number;
  readonly length: number;
}

/** An index file while it is made: gzip members one behind the other, compressed in threads. */
export class MemberWriter {
  readonly #members: Buffer[] = [];
  readonly #ends: number[] = [];
  #pending: Promise<Buffer>[] = [];
  #count = 0;

  /** Members that were added so far: the number of the next one. */
  get count(): number {
    return this.#count;
  }

  /** Adds what becomes a member of its own. Resolves when there is room for more. */
  async add(raw: Buffer, level: number): Promise<void> {
    this.#count++;
    const member = compress(raw, { ...SMALL, level });
    // Its failure is met when it is its turn.
    member.catch(() => undefined);
    this.#pending.push(member);
    if (this.#pending.length > AHEAD) await this.#settle(1);
  }

  /** Resolves when all that was added is compressed, so that its places are known. */
  async flush(): Promise<void> {
    await this.#settle(this.#pending.length);
  }

  /** Of the members `from` up to, not including, `to`. */
  place(from: number, to: number = from + 1): Place {
    const offset = this.#ends[from - 1] ?? 0;
    return { offset, length: (this.#ends[to - 1] ?? 0) - offset };
  }

  sha256(member: number): string {
    return hash("sha256", this.#members[member] ?? Buffer.alloc(0), "hex");
  }

  bytes(): Buffer {
    return Buffer.concat(this.#members);
  }

  async #settle(count: number): Promise<void> {
    for (const pending of this.#pending.splice(0, count)) {
      const member = await pending;
      member[OS_BYTE] = UNKNOWN_OS;
      this.#ends.push((this.#ends.at(-1) ?? 0) + member.length);
      this.#members.push(member);
    }
  }
}

/** What one or more whole members hold together. @throws IndexUnusable */
export async function decodeMembers(bytes: Buffer, maxBytes: number): Promise<Buffer> {
  try {
    return await decompress(bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    throw new IndexUnusable("a part of it cannot be decompressed", { cause: error });
  }
}
