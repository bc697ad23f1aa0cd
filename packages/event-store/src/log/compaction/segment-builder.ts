import type { Head } from "../../core/event.js";
import type { RecordView } from "../../core/record-view.js";
import type { SeqRange } from "../keys.js";
import { MAX_RECORDS_BYTES } from "../segments/layout.js";
import { COMPRESSING, MemberMaker } from "../segments/member-maker.js";

/** A segment's bytes, and what they were made of. */
export interface BuiltSegment extends SeqRange {
  /** The record before its first one. */
  readonly before: Head;
  /** Its last record. */
  readonly end: Head;
  readonly body: Buffer;
  /** Of its lines, with their newlines. */
  readonly bytes: number;
}

/** One segment of several that follow one another. */
export function joinSegments(segments: readonly BuiltSegment[]): BuiltSegment {
  const [first, last] = [segments[0] as BuiltSegment, segments.at(-1) as BuiltSegment];
  return {
    first: first.first,
    last: last.last,
    before: first.before,
    end: last.end,
    body: Buffer.concat(segments.map(({ body }) => body)),
    bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** Makes a segment of verified records as they come, in order: members of fixed size, compressed in threads of Node's meanwhile. */
export class SegmentBuilder {
  readonly #run: SeqRange;
  readonly #before: Head;
  readonly #maker = new MemberMaker();
  readonly #members: Promise<Buffer>[] = [];
  #total = 0;

  constructor(run: SeqRange, before: Head) {
    this.#run = run;
    this.#before = before;
  }

  /** They are more than a segment holds, unless that is a single record. */
  get tooLarge(): boolean {
    return this.#total > MAX_RECORDS_BYTES && this.#run.last > this.#run.first;
  }

  async add(records: readonly RecordView[]): Promise<void> {
    for (const record of records) {
      const { line } = record;
      this.#total += line.length + 1;
      if (this.tooLarge) return;
      const member = this.#maker.add(line);
      if (member) await this.#push(member);
    }
  }

  async end(end: Head): Promise<BuiltSegment> {
    const member = this.#maker.end();
    if (member) await this.#push(member);
    const body = Buffer.concat(await Promise.all(this.#members));
    return { ...this.#run, before: this.#before, end, body, bytes: this.#total };
  }

  async #push(member: Promise<Buffer>): Promise<void> {
    this.#members.push(member);
    await this.#members.at(-COMPRESSING);
  }
}
