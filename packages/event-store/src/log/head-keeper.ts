import type { Head } from "../core/event.js";
import { formatHead, parseHead } from "../core/head-check.js";
import type { ObjectStore, PutOutcome } from "../objects/port.js";
import type { Runtime } from "../system/runtime.js";
import type { OnWarning } from "../system/warning.js";

/** Some providers allow one write per second to a key. */
const MIN_INTERVAL_MS = 1000;

/**
 * Keeps the head hint, behind the appends: coalesced, at most one write under way, forward only. Created with
 * If-None-Match, replaced with If-Match. Failures never reach an append: the hint only gets older.
 */
export class HeadKeeper {
  readonly #objects: ObjectStore;
  readonly #key: string;
  readonly #runtime: Runtime;
  #latest: Head | null = null;
  /** What is stored, as far as we know. */
  #stored: { readonly seq: number; readonly etag: string } | null = null;
  #running: Promise<void> | null = null;
  #lastWrite = -Infinity;
  #hurry = new AbortController();
  readonly #onWarning: OnWarning;
  /** A failure is said once, until a write succeeds again. */
  #warned = false;

  constructor(objects: ObjectStore, key: string, runtime: Runtime, onWarning: OnWarning) {
    this.#objects = objects;
    this.#key = key;
    this.#runtime = runtime;
    this.#onWarning = onWarning;
  }

  /** A record was committed. Returns at once. */
  note(head: Head): void {
    this.#latest = head;
    this.#running ??= this.#run().finally(() => (this.#running = null));
  }

  /** Writes what is not written yet, without waiting for its time; returns when that was tried. */
  async flush(): Promise<void> {
    this.#hurry.abort();
    await this.#running;
    if (this.#latest) await this.#tryWrite(this.#latest);
    this.#hurry = new AbortController();
  }

  /** Drops what is not written yet, and what it knows of the stored head. */
  async forget(): Promise<void> {
    this.#latest = null;
    this.#hurry.abort();
    await this.#running;
    this.#hurry = new AbortController();
    this.#stored = null;
  }

  #pending(): Head | null {
    return this.#latest;
  }

  async #run(): Promise<void> {
    for (let written: Head | null = null; this.#latest && this.#latest !== written;) {
      const pause = this.#lastWrite + MIN_INTERVAL_MS - this.#runtime.elapsed();
      if (pause > 0) await this.#runtime.sleep(pause, this.#hurry.signal);
      written = this.#pending();
      // Forgotten meanwhile.
      if (written === null) return;
      await this.#tryWrite(written);
    }
  }

  async #tryWrite(head: Head): Promise<void> {
    if (this.#stored && this.#stored.seq >= head.seq) return;
    this.#lastWrite = this.#runtime.elapsed();
    try {
      await this.#write(head);
      this.#warned = false;
    } catch (error) {
      this.#stored = null;
      this.#warn(error);
    }
  }

  #warn(error: unknown): void {
    if (this.#warned) return;
    this.#warned = true;
    const why = error instanceof Error ? error.message : String(error);
    this.#onWarning({
      code: "HEAD_NOT_WRITTEN",
      message: `the head ${this.#key} could not be written (${why}); appends are not affected, but opening the log takes more requests, and a cut tail may go unnoticed`,
    });
  }

  /** Races with other keepers end here too: whoever is ahead stays. */
  async #write(head: Head): Promise<void> {
    const body = Buffer.from(formatHead(head));
    for (let attempt = 0; attempt < 4; attempt++) {
      const stored = this.#stored;
      const answer: PutOutcome = stored
        ? await this.#objects.replaceIfMatch(this.#key, body, stored.etag)
        : await this.#objects.putIfAbsent(this.#key, body);
      if (answer.outcome === "stored") {
        this.#stored = { seq: head.seq, etag: answer.etag };
        return;
      }
      const current = await this.#objects.get(this.#key);
      // A head that cannot be read is no hint: it counts as behind every record.
      this.#stored = current && { seq: parseHead(current.body)?.seq ?? -1, etag: current.etag };
      if (this.#stored && this.#stored.seq >= head.seq) return;
    }
  }
}

/** Sets the head to `head` whatever it says now: only for an explicit reset. Deletes it for an empty log. */
export async function overwriteHead(objects: ObjectStore, key: string, head: Head): Promise<void> {
  if (head.seq < 0) return objects.delete(key);
  const body = Buffer.from(formatHead(head));
  for (let attempt = 0; ; attempt++) {
    const current = await objects.get(key);
    const answer = current
      ? await objects.replaceIfMatch(key, body, current.etag)
      : await objects.putIfAbsent(key, body);
    if (answer.outcome === "stored") return;
    if (answer.outcome === "unknown" && attempt >= 4) throw answer.cause;
  }
}
