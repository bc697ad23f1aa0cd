import { promisify } from "node:util";
import { constants, gunzip, gzip, type ZlibOptions } from "node:zlib";
import { MAX_RECORD_BYTES } from "../../core/event.js";
import { linesOf } from "../../core/lines.js";

/*
 * A segment is gzip members one behind the other (RFC 1952), each of whole lines, each readable by itself. All begin with the same
 * ten bytes, by which they are found from anywhere within a segment: compressed data holds those by chance once in 2^80 places, and
 * then does not decompress.
 */

/** A member ends behind so many records … */
export const MEMBER_RECORDS = 1000;
/** … and before it has more bytes than that, unless a single record has. */
export const MEMBER_BYTES: number = 1024 * 1024;

/** No member has more lines than this, in bytes. */
const MOST_BYTES = MEMBER_BYTES + MAX_RECORD_BYTES + 1;
/** Nor is any longer as it is stored: what does not compress grows by less than a thousandth. */
export const MAX_MEMBER_BYTES: number = MOST_BYTES + Math.ceil(MOST_BYTES / 1000);

const LEVEL = 6;
/** Deflate, no flags, no time, no extra flags, unknown operating system: what zlib is built for does not show. */
export const MEMBER_HEADER: Buffer = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
const SMALLEST = MEMBER_HEADER.length + 8;

const compress = promisify<Buffer, { level: number }, Buffer>(gzip);
interface Decompressed {
  readonly buffer: Buffer;
  /** What of the input belonged to it. */
  readonly engine: { readonly bytesWritten: number };
}
const decompressPart = promisify<Buffer, ZlibOptions, Buffer>(gunzip);
/** What is enough of most members to see their first line. */
const FIRST_BYTES = 8 * 1024;
const PART: ZlibOptions = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: MOST_BYTES };
const decompress = promisify<Buffer, { maxOutputLength: number; info: true }, Decompressed>(
  gunzip as unknown as (
    member: Buffer,
    options: { maxOutputLength: number; info: true },
    callback: (error: Error | null, result: Decompressed) => void,
  ) => void,
);

/** Lines, each with its newline, as one member. Compresses in a thread of Node's. */
export async function encodeMember(lines: Buffer): Promise<Buffer> {
  const member = await compress(lines, { level: LEVEL });
  MEMBER_HEADER.copy(member);
  return member;
}

/** @throws Error when it is not one whole member, or holds more than any does */
export async function decodeMember(member: Buffer): Promise<Buffer> {
  const { buffer, engine } = await decompress(member, { maxOutputLength: MOST_BYTES, info: true });
  // Else what stands behind it would go unseen.
  if (engine.bytesWritten !== member.length) throw new Error("something else follows the gzip member");
  return buffer;
}

/** The first line of a member that is not blank, from as much of the member as there is; null when that is not enough, or no member. Unchecked. */
export async function firstLineOf(member: Buffer): Promise<Buffer | null> {
  for (const size of [FIRST_BYTES, member.length]) {
    const part = member.subarray(0, size);
    const lines = await decompressPart(part, PART).catch(() => null);
    if (lines === null) return null;
    for (const line of linesOf(lines.subarray(0, lines.lastIndexOf("\n") + 1))) return line;
    if (part.length === member.length) break;
  }
  return null;
}

/** Cuts members out of bytes that come piece by piece, from anywhere in a segment on. */
export class MemberSplitter {
  #rest: Buffer = Buffer.alloc(0);
  /** Offset of `#rest` in what was pushed. */
  #restAt = 0;
  /** `#rest` begins with a member. */
  #begun = false;

  /** Bytes of the member that is not whole yet. */
  get waiting(): number {
    return this.#rest.length;
  }

  /** The members that are whole by now, each with its offset in what was pushed. What stands before the first one is dropped. */
  push(bytes: Buffer): Member[] {
    const searched = Math.max(0, this.#rest.length - MEMBER_HEADER.length + 1);
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const members: Member[] = [];
    let start = 0;
    let from = Math.max(searched, SMALLEST);
    if (!this.#begun) {
      start = all.indexOf(MEMBER_HEADER);
      this.#begun = start >= 0;
      if (start < 0) start = Math.max(0, all.length - MEMBER_HEADER.length + 1);
      from = start + SMALLEST;
    }
    for (let next = nextHeader(all, from); this.#begun && next >= 0; next = nextHeader(all, from)) {
      members.push({ at: this.#restAt + start, bytes: all.subarray(start, next) });
      start = next;
      from = next + SMALLEST;
    }
    this.#rest = all.subarray(start);
    this.#restAt += start;
    return members;
  }

  /** The last member, which ends where the bytes do; null when nothing is left. */
  end(): Member | null {
    return this.#begun && this.#rest.length >= SMALLEST ? { at: this.#restAt, bytes: this.#rest } : null;
  }
}

export interface Member {
  readonly at: number;
  readonly bytes: Buffer;
}

function nextHeader(bytes: Buffer, from: number): number {
  return from >= bytes.length ? -1 : bytes.indexOf(MEMBER_HEADER, from);
}
