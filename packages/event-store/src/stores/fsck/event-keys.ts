import { MAX_BATCH_RECORDS } from "../../core/event.js";
import { linesOf } from "../../core/lines.js";
import { MalformedRecord, viewRecord } from "../../core/record-view.js";
import { MAX_OBJECT_BYTES } from "../../log/event-object.js";
import type { EventObject } from "../../log/listing.js";
import type { ObjectStore } from "../../objects/port.js";
import type { Coverage } from "./coverage.js";
import { finding, type FsckFinding } from "./finding.js";

/** What is read of an object's end at first: more than most records take. */
const END_BYTES = 16 * 1024;

/** Follows the event keys of a listing, and says where records are missing. Of objects it reads one only where keys have a gap. */
export class EventKeys {
  count = 0;
  /** Seq of the last record that is known to be there; −1 before the first. */
  last = -1;
  readonly #objects: ObjectStore;
  readonly #covered: Coverage;
  readonly #signal: AbortSignal | undefined;
  #before: EventObject | null = null;

  constructor(objects: ObjectStore, covered: Coverage, signal: AbortSignal | undefined) {
    this.#objects = objects;
    this.#covered = covered;
    this.#signal = signal;
  }

  /** The next event object. */
  async *take(event: EventObject): AsyncGenerator<FsckFinding> {
    this.count += 1;
    yield* this.#upTo(event.seq, event.key);
    this.#before = event;
    this.last = event.seq;
    const { seq, key, size } = event;
    if (size === 0)
      yield finding("EMPTY_EVENT", key, "an event object without a byte: the log cannot be read here", { seq });
    else if (size > MAX_OBJECT_BYTES)
      yield finding("OVERSIZED_EVENT", key, `an event object of ${String(size)} bytes: none has so many`, { seq });
  }

  /** There is none behind the last one. */
  async *end(): AsyncGenerator<FsckFinding> {
    if (this.#before === null) return;
    const end = await this.#endOf(this.#before);
    if (typeof end === "number") this.last = end;
    else yield end;
  }

  async *#upTo(seq: number, key: string): AsyncGenerator<FsckFinding> {
    const before = this.#before;
    if (seq === this.last + 1) return;
    // Covered throughout: pruned, or a batch whose records segments hold too.
    if (this.#covered.missing({ first: this.last + 1, last: seq - 1 }).length === 0) return;
    if (before !== null) {
      const end = await this.#endOf(before);
      if (typeof end !== "number") yield end;
      else if (end >= seq) {
        const message = `${before.key} holds records up to seq ${String(end)}, and ${key} begins before that`;
        yield finding("OVERLAP", key, message, { seq, toSeq: end });
        return;
      } else this.last = end;
    }
    for (const { first, last } of this.#covered.missing({ first: this.last + 1, last: seq - 1 })) {
      const what =
        first === last
          ? `record ${String(first)} is missing`
          : `records ${String(first)} to ${String(last)} are missing`;
      yield finding("GAP", key, `${what} before ${key}`, {
        seq: first,
        toSeq: last,
        hint: "in a versioned bucket, rynxs fsck --versions shows what was deleted; else look for the objects in a backup",
      });
    }
  }

  /** Seq of the last record in an object; or what is wrong with it. */
  async #endOf({ seq, key, size }: EventObject): Promise<number | FsckFinding> {
    // Said already.
    if (size === 0 || size > MAX_OBJECT_BYTES) return seq;
    const start = Math.max(0, size - END_BYTES);
    let line = await this.#lastLine(key, start, size);
    if (line === null && start > 0) line = await this.#lastLine(key, 0, size);
    try {
      const last = line === null ? null : viewRecord(line).seq;
      if (last !== null && last >= seq && last < seq + MAX_BATCH_RECORDS) return last;
    } catch (error) {
      if (!(error instanceof MalformedRecord)) throw error;
    }
    return finding("UNREADABLE_EVENT", key, "its last line is not a record that may stand there", {
      seq,
      hint: "rynxs verify says more",
    });
  }

  /** Null when it does not begin within these bytes. */
  async #lastLine(key: string, start: number, end: number): Promise<Buffer | null> {
    const object = await this.#objects.get(key, { range: { start, end }, signal: this.#signal });
    if (object === null) return null;
    // The first line of a piece is the end of one, unless the piece begins with the object.
    const lines = [...linesOf(object.body)].slice(start === 0 ? 0 : 1);
    return lines.at(-1) ?? null;
  }
}
