import { encodeMember, MEMBER_BYTES, MEMBER_RECORDS } from "./members.js";

/** Members that are to be compressed at a time, while more lines come in. */
export const COMPRESSING = 4;

const NEWLINE = 0x0a;

/** Makes members of lines as they come, in order. Which lines share a member depends on the lines alone. */
export class MemberMaker {
  #lines: Buffer[] = [];
  #bytes = 0;

  /** Takes a line, without its newline. The member before it, when that was full: being compressed, in a thread of Node's. */
  add(line: Buffer): Promise<Buffer> | null {
    const full = this.#lines.length === MEMBER_RECORDS || this.#bytes + line.length + 1 > MEMBER_BYTES;
    const member = full ? this.end() : null;
    this.#lines.push(line);
    this.#bytes += line.length + 1;
    return member;
  }

  /** What there is, as a member; null when there is nothing. */
  end(): Promise<Buffer> | null {
    if (this.#lines.length === 0) return null;
    const lines = Buffer.allocUnsafe(this.#bytes);
    let at = 0;
    for (const line of this.#lines) {
      at += line.copy(lines, at);
      lines[at++] = NEWLINE;
    }
    this.#lines = [];
    this.#bytes = 0;
    const member = encodeMember(lines);
    // It may fail before its turn.
    member.catch(() => undefined);
    return member;
  }
}
