import { BackendError, VerificationError } from "../../core/errors.js";
import type { Head } from "../../core/event.js";
import type { Runtime } from "../../system/runtime.js";
import type { SeqRange } from "../keys.js";
import { factsOf, type LogOnObjects } from "../log-on-objects.js";
import { BadSegment, proveBody, type ProvenSegment } from "../segments/segment-proof.js";
import { createDerived } from "./derived-object.js";

/** Puts segments, and reads them back before they count. */
export class SegmentStore {
  readonly #log: LogOnObjects;
  readonly #runtime: Runtime;

  constructor(log: LogOnObjects, runtime: Runtime) {
    this.#log = log;
    this.#runtime = runtime;
  }

  /**
   * Makes a segment durable: when this returns, the object under its key was read back and holds just these records. One that holds
   * something unreadable is replaced; one that holds other records is evidence of a rewritten log, and throws.
   * @returns `there`: somebody else had written it; `gone`: and merged it into a larger one since
   * @throws VerificationError; BackendError
   */
  async write(
    segment: SeqRange & { readonly before: Head; readonly body: Buffer },
    signal?: AbortSignal,
  ): Promise<"written" | "there" | "gone"> {
    const { objects, keys } = this.#log;
    const key = keys.segment(segment.first, segment.last);
    for (let replaced = false; ; replaced = true) {
      const options = { runtime: this.#runtime, contentType: "application/gzip", signal };
      const outcome = await createDerived(objects, key, segment.body, options);
      const stored = (await objects.get(key, { signal }))?.body ?? null;
      if (stored === null) return "gone";
      if (stored.equals(segment.body)) return outcome === "stored" ? "written" : "there";
      const problem = await this.#compare(segment, stored);
      if (problem === null) return "there";
      if (replaced) {
        throw new BackendError("UNAVAILABLE", `the segment ${key} does not come back as it was written: ${problem}`, {
          facts: { ...factsOf(this.#log, key), operation: "PUT" },
          hint: "find out what changes objects of this bucket; nothing of the log was touched",
        });
      }
      this.#log.onWarning?.({
        code: "SEGMENT_UNUSABLE",
        message: `the segment ${key} is made anew: ${problem}`,
      });
      await objects.delete(key, { signal });
    }
  }

  /** Reads a segment in full, the records behind `before`; null when it is not there. @throws BadSegment; BackendError */
  async read(segment: SeqRange, before: Head, signal?: AbortSignal): Promise<ProvenSegment | null> {
    const key = this.#log.keys.segment(segment.first, segment.last);
    const object = await this.#log.objects.get(key, { signal });
    return object && proveBody(segment, before, object.body, factsOf(this.#log, key));
  }

  async remove({ first, last }: SeqRange, signal?: AbortSignal): Promise<void> {
    await this.#log.objects.delete(this.#log.keys.segment(first, last), { signal });
  }

  /** Null when two segments hold the same records: other versions of zlib write other bytes. */
  async #compare(
    segment: SeqRange & { readonly before: Head; readonly body: Buffer },
    stored: Buffer,
  ): Promise<string | null> {
    const { first, last, before } = segment;
    const key = this.#log.keys.segment(first, last);
    const facts = factsOf(this.#log, key);
    const ours = await proveBody(segment, before, segment.body, facts);
    let theirs: Awaited<ReturnType<typeof proveBody>>;
    try {
      theirs = await proveBody(segment, null, stored, facts);
    } catch (error) {
      if (error instanceof BadSegment) return error.message;
      throw error;
    }
    if (ours.digest === theirs.digest) return null;
    const at = { seq: first, expected: ours.end.hash, actual: theirs.end.hash };
    throw new VerificationError("CHAIN_BROKEN", at, `the segment ${key} holds other records than the log`, {
      facts,
      hint: "the segment or the event objects were rewritten: keep both, and compare them with a backup, a copy or a noted head",
    });
  }
}
