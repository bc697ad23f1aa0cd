import { EventStoreError } from "../../core/errors.js";
import { linesOf } from "../../core/lines.js";
import { placeBefore } from "../../core/record-view.js";
import type { SeqRange } from "../keys.js";
import { fetchAhead } from "../window.js";
import { decodeMember, firstLineOf, MAX_MEMBER_BYTES, MEMBER_HEADER, MemberSplitter, type Member } from "./members.js";

/** One GET of a long read. */
const PIECE_BYTES = 1024 * 1024;
/** Pieces that are fetched ahead of the reader … */
const PIECES = 8;
/** … and members that are decompressed ahead of it. */
const MEMBERS = 4;
/** One look for a place within a segment: a few members. */
const LOOK_BYTES = 256 * 1024;
/** More looks than that a good segment does not need. */
const MAX_LOOKS = 16;

/** Why a segment cannot be used; not what is wrong with the log. */
export class SegmentUnusable extends Error {
  /** It is not there any more: merged into another one, most likely. */
  readonly gone: boolean;
  /** Whatever it holds, it is not of this log. */
  readonly foreign: boolean;

  /** `name`: its key, or its path. */
  constructor(
    name: string,
    reason: string,
    options: { readonly gone?: boolean; readonly foreign?: boolean; readonly cause?: unknown } = {},
  ) {
    super(`the segment ${name} cannot be used: ${reason}`, { cause: options.cause });
    this.gone = options.gone ?? false;
    this.foreign = options.foreign ?? false;
  }
}

/** Where the bytes of a segment are. */
export interface SegmentBytes {
  /** For people: its key, or its path. */
  readonly name: string;
  readonly size: number;
  /** All bytes from `start` to `end`, exclusive. @throws SegmentUnusable when they are not there; what the backend throws */
  read(range: ByteRange, signal?: AbortSignal): Promise<Buffer>;
}

export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Where a member begins, and with which record. */
interface MemberPlace {
  readonly at: number;
  readonly seq: number;
}

/** What of a segment to read. */
export interface SegmentRange {
  /** The first record that matters, which the segment holds … */
  readonly fromSeq: number;
  /** … and the last one, which it may not reach. */
  readonly toSeq: number;
  /** Begin with the very member that holds `fromSeq`, whatever is wrong with those before it: at the cost of a few more looks. */
  readonly exact?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Reads the lines of one segment. Nothing that it gives was verified. */
export class SegmentFile {
  readonly #bytes: SegmentBytes;
  readonly #run: SeqRange;

  /** `run`: the records that it holds, or nearly: where to look for a record is reckoned from that. */
  constructor(bytes: SegmentBytes, run: SeqRange) {
    this.#bytes = bytes;
    this.#run = run;
  }

  /** Blocks of whole lines, the first of which holds the record `fromSeq`, if the segment is what it should be. @throws SegmentUnusable; BackendError */
  async *blocks({ fromSeq, toSeq, exact = false, signal }: SegmentRange): AsyncGenerator<Buffer> {
    const splitter = new MemberSplitter();
    const { size } = this.#bytes;
    let start = await this.#locate(fromSeq, signal);
    if (exact) start = await this.#lastFrom(start, fromSeq, signal);
    let passed = 0;
    // What lies behind the place where the range should end is asked for only by a reader that comes so far.
    for (const end of new Set([Math.max(start, this.#endNear(toSeq)), size])) {
      const source = (abort: AbortSignal): AsyncIterable<Member> => this.#members(splitter, start, end, abort);
      const limits = { width: () => MEMBERS, maxWeight: 4 * PIECE_BYTES, least: 2, weight: rawBytes, signal };
      for await (const decoded of fetchAhead(source, ({ bytes }) => this.#decode(bytes), limits)) {
        for (const { item, result } of decoded) {
          if (item.at !== passed) throw this.#foreign();
          passed += item.bytes.length;
          yield result;
        }
      }
      start = end;
    }
  }

  /** The line of record `seq`; null when it does not stand where it should. @throws SegmentUnusable; BackendError */
  async line(seq: number, signal?: AbortSignal): Promise<Buffer | null> {
    for await (const block of this.blocks({ fromSeq: seq, toSeq: seq, signal })) {
      for (const line of linesOf(block)) {
        const found = placeBefore(line)?.seq;
        if (found === seq - 1) return line;
        if (found !== undefined && found >= seq) return null;
      }
    }
    return null;
  }

  /** Its last line; null when there is none. @throws SegmentUnusable; BackendError */
  async lastLine(signal?: AbortSignal): Promise<Buffer | null> {
    const { size } = this.#bytes;
    for (let bytes = LOOK_BYTES / 4; ; bytes *= 4) {
      const start = Math.max(0, size - bytes);
      const splitter = new MemberSplitter();
      const members = splitter.push(await this.#bytes.read({ start, end: size }, signal));
      const last = splitter.end() ?? members.at(-1);
      if (last) return [...linesOf(await this.#decode(last.bytes))].at(-1) ?? null;
      if (start === 0) return null;
    }
  }

  /** The members that end in [start, end). */
  async *#members(splitter: MemberSplitter, start: number, end: number, signal: AbortSignal): AsyncGenerator<Member> {
    function* pieces(): Generator<ByteRange> {
      for (let at = start; at < end; at += PIECE_BYTES) yield { start: at, end: Math.min(at + PIECE_BYTES, end) };
    }
    const get = (range: ByteRange, abort: AbortSignal): Promise<Buffer> => this.#bytes.read(range, abort);
    const limits = { width: () => PIECES, maxWeight: PIECES, weight: () => 1, signal };
    for await (const fetched of fetchAhead(pieces, get, limits)) {
      for (const { result } of fetched) yield* splitter.push(result);
      if (splitter.waiting > MAX_MEMBER_BYTES) throw this.#foreign();
    }
    if (end < this.#bytes.size) return;
    const last = splitter.end();
    if (last === null) throw this.#foreign();
    yield last;
  }

  /** Offset of a member that begins at or before record `seq`: by interpolation, since members hold about the same. */
  async #locate(seq: number, signal?: AbortSignal): Promise<number> {
    const { first, last } = this.#run;
    const { size } = this.#bytes;
    let low = { at: 0, seq: first };
    let high = { at: size, seq: last + 1 };
    for (let looks = 0; seq > low.seq && high.at - low.at > LOOK_BYTES && looks < MAX_LOOKS; looks++) {
      const share = (seq - low.seq) / Math.max(1, high.seq - low.seq);
      const guess = low.at + Math.floor(share * (high.at - low.at)) - LOOK_BYTES / 2;
      const at = Math.max(low.at, Math.min(guess, high.at - LOOK_BYTES));
      const members = await this.#looked(at, low.at, signal);
      const before = members.filter((member) => member.seq <= seq).at(-1);
      const behind = members.find((member) => member.seq > seq);
      if (before && behind) return before.at;
      if (before && before.at > low.at) low = before;
      else if (behind && behind.at < high.at) high = { at: Math.max(low.at, at), seq: behind.seq };
      else break;
    }
    return low.at;
  }

  /** As `#look`, further back where no member begins in so short a stretch; not beyond `from`. */
  async #looked(at: number, from: number, signal?: AbortSignal): Promise<MemberPlace[]> {
    for (let start = at; ; start = Math.max(from, start - LOOK_BYTES + MEMBER_HEADER.length)) {
      const members = await this.#look(start, signal);
      if (members.length > 0 || start <= from || at - start > MAX_MEMBER_BYTES) return members;
    }
  }

  /** Offset of the last member at or behind `at` that begins at or before record `seq`, in stretches that overlap by enough to see its first line. */
  async #lastFrom(at: number, seq: number, signal?: AbortSignal): Promise<number> {
    let found = at;
    for (let next = at; next < this.#bytes.size; next += LOOK_BYTES / 2) {
      for (const member of await this.#look(next, signal)) {
        if (member.seq > seq) return found;
        found = member.at;
      }
    }
    return found;
  }

  /** The members that begin in a stretch of the segment, by their first seq. One that is damaged shows no way, and is left to whoever reads on. */
  async #look(at: number, signal?: AbortSignal): Promise<MemberPlace[]> {
    const splitter = new MemberSplitter();
    const { size } = this.#bytes;
    const end = Math.min(at + LOOK_BYTES, size);
    const members = splitter.push(await this.#bytes.read({ start: at, end }, signal));
    const last = splitter.end();
    if (last) members.push(last);
    const found: MemberPlace[] = [];
    for (const member of members) {
      const line = await firstLineOf(member.bytes);
      const place = line && placeBefore(line);
      if (place) found.push({ at: at + member.at, seq: place.seq + 1 });
    }
    return found;
  }

  /** Where record `seq` ends, or a little behind. */
  #endNear(seq: number): number {
    const { first, last } = this.#run;
    const { size } = this.#bytes;
    if (seq >= last) return size;
    const guess = Math.ceil((size * (seq + 1 - first)) / (last + 1 - first));
    return Math.min(size, guess + LOOK_BYTES / 2);
  }

  #foreign(): SegmentUnusable {
    return new SegmentUnusable(this.#bytes.name, "it is empty, or holds something else than members of a segment");
  }

  async #decode(member: Buffer): Promise<Buffer> {
    try {
      return await decodeMember(member);
    } catch (cause) {
      if (cause instanceof EventStoreError) throw cause;
      throw new SegmentUnusable(this.#bytes.name, "a part of it does not decompress", { cause });
    }
  }
}

/** What a member holds, roughly. */
function rawBytes({ bytes }: Member): number {
  return 8 * bytes.length;
}
