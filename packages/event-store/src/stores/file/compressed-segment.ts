import type { FileHandle } from "node:fs/promises";
import { checkAlone } from "../../core/chain.js";
import { VerificationError } from "../../core/errors.js";
import { MAX_SEQ, type Head } from "../../core/event.js";
import { linesOf } from "../../core/lines.js";
import type { RecordView } from "../../core/record-view.js";
import type { SeqRange } from "../../log/keys.js";
import { firstLine, lastLines } from "../../log/segments/segment-ends.js";
import { SegmentFile, SegmentUnusable, type SegmentBytes } from "../../log/segments/segment-file.js";
import { readAt } from "./file-bytes.js";
import { seqOf } from "./locate.js";

/**
 * A rotated segment that was compressed (docs/SPEC.md, "File store"): it stands in place of the plain one. Nothing that it gives was
 * verified; what cannot be read of it is a malformed record, since nothing else holds those records.
 */
export class CompressedSegment {
  readonly #bytes: SegmentBytes;

  private constructor(bytes: SegmentBytes) {
    this.#bytes = bytes;
  }

  /** Of an open file, which stays its opener's to close. */
  static async of(file: FileHandle, path: string): Promise<CompressedSegment> {
    const { size } = await file.stat();
    return new CompressedSegment({
      name: path,
      size,
      read: async ({ start, end }) => {
        const bytes = await readAt(file, start, end - start);
        if (bytes.length < end - start) throw new SegmentUnusable(path, "it became shorter while it was read");
        return bytes;
      },
    });
  }

  /** Seq of its first record; null when there is none that can be read. */
  async firstSeq(): Promise<number | null> {
    const line = await firstLine(this.#bytes);
    return line && seqOf(line);
  }

  /** Seq of its last record; null when there is none that can be read. */
  async lastSeq(): Promise<number | null> {
    const line = (await lastLines(this.#bytes)).lines.at(-1);
    return line ? seqOf(line) : null;
  }

  /** Blocks of whole lines, from the first on. @throws SegmentUnusable where it cannot be read */
  all(): AsyncGenerator<Buffer> {
    return new SegmentFile(this.#bytes, { first: 0, last: 0 }).blocks({ fromSeq: 0, toSeq: MAX_SEQ });
  }

  /** Blocks of whole lines, the first of which holds record `fromSeq`, if any does. @throws SegmentUnusable where it cannot be read */
  async *from(fromSeq: number, toSeq: number): AsyncGenerator<Buffer> {
    const run = await this.#run();
    yield* new SegmentFile(this.#bytes, run).blocks({ fromSeq, toSeq, exact: true });
  }

  /** A record, checked against its own content; null when it does not stand where it should. @throws VerificationError */
  async recordOf(seq: number): Promise<RecordView | null> {
    try {
      for await (const block of this.from(seq, seq)) {
        for (const line of linesOf(block)) {
          const found = seqOf(line);
          if (found === seq) return checkAlone(line, seq, { facts: { file: this.#bytes.name } });
          if (found !== null && found > seq) return null;
        }
      }
      return null;
    } catch (error) {
      throw this.verdict(error, seq);
    }
  }

  /** The last record; what `before` says when there is none. @throws VerificationError when something else stands at the end */
  async tail(before: () => Promise<Head>): Promise<Head> {
    const { lines, damaged } = await lastLines(this.#bytes);
    const seqs = lines.map(seqOf);
    const last = lines.at(-1);
    const seq = seqs.at(-1) ?? null;
    const facts = { file: this.#bytes.name };
    const end = last && seq !== null ? { seq, hash: checkAlone(last, seq, { facts }).eventHash } : null;
    if (end && !damaged) return end;
    const next = (seqs.findLast((found) => found !== null) ?? (await before()).seq) + 1;
    if (last && !end) checkAlone(last, next, { facts });
    if (damaged) throw this.verdict(new SegmentUnusable(this.#bytes.name, "it does not end as it should"), next);
    return before();
  }

  /** What an error says of the log, where record `seq` should stand. */
  verdict(error: unknown, seq: number): unknown {
    if (!(error instanceof SegmentUnusable)) return error;
    const at = { seq, expected: "a part of a compressed segment", actual: error.message };
    return new VerificationError("MALFORMED", at, `record ${String(seq)} is malformed: ${error.message}`, {
      facts: { file: this.#bytes.name },
      hint: "the file was changed after it was written, or copied badly: keep it as it is, and take it from a backup or a copy",
      cause: error,
    });
  }

  /** First and last record, as far as they can be told: to reckon where the others are. */
  async #run(): Promise<SeqRange> {
    const first = (await this.firstSeq()) ?? 0;
    const line = (await lastLines(this.#bytes)).lines.at(-1);
    return { first, last: Math.max(first, (line && seqOf(line)) ?? MAX_SEQ - 1) };
  }
}
