import { linesOf } from "../../core/lines.js";
import { decodeMember, MAX_MEMBER_BYTES, MEMBER_HEADER, MemberSplitter } from "./members.js";
import type { SegmentBytes } from "./segment-file.js";

/** What is read at first: more than most members. */
const LOOK_BYTES = 128 * 1024;

/** The first line of a segment that is not blank; null when there is none, or none that can be read. */
export async function firstLine(bytes: SegmentBytes): Promise<Buffer | null> {
  for (let end = 0, step = LOOK_BYTES; end < bytes.size; step *= 4) {
    end = Math.min(step, bytes.size);
    const splitter = new MemberSplitter();
    const members = splitter.push(await bytes.read({ start: 0, end }));
    const last = end === bytes.size ? splitter.end() : null;
    if (last) members.push(last);
    if (members.length > 0 ? members[0]?.at !== 0 : end > MAX_MEMBER_BYTES) return null;
    for (const member of members) {
      const lines = await decoded(member.bytes);
      if (lines === null) return null;
      for (const line of linesOf(lines)) return line;
    }
  }
  return null;
}

/** The end of a segment. */
export interface LastLines {
  /** The lines of the last member that can be read and has any, without blank ones. */
  readonly lines: readonly Buffer[];
  /** Something that cannot be read stands behind them. */
  readonly damaged: boolean;
}

/** Looks at a segment from its end backwards, a member at a time. */
export async function lastLines(bytes: SegmentBytes): Promise<LastLines> {
  let damaged = bytes.size === 0;
  let rest: Buffer = Buffer.alloc(0);
  for (let start = bytes.size; start > 0;) {
    const end = start;
    start = Math.max(0, end - LOOK_BYTES);
    rest = Buffer.concat([await bytes.read({ start, end }), rest]);
    for (let at = lastHeader(rest); at >= 0; at = lastHeader(rest)) {
      const member = await decoded(rest.subarray(at));
      rest = rest.subarray(0, at);
      damaged ||= member === null;
      const lines = member ? [...linesOf(member)] : [];
      if (lines.length > 0) return { lines, damaged };
    }
    if (rest.length > MAX_MEMBER_BYTES || start === 0) {
      damaged ||= rest.length > 0;
      rest = rest.subarray(0, MEMBER_HEADER.length);
    }
  }
  return { lines: [], damaged };
}

function lastHeader(bytes: Buffer): number {
  return bytes.lastIndexOf(MEMBER_HEADER);
}

async function decoded(member: Buffer): Promise<Buffer | null> {
  return decodeMember(member).catch(() => null);
}
