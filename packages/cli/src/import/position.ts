import type { DerivedPlace, Head, Runtime } from "@rynxs/event-store";
import { CliError } from "../exit.js";

/**
 * How far an import got. The events of all lines up to `lines` are in the log; those of later lines are, if at all, directly behind
 * `base`, in their order, with nothing between: whoever goes on finds them there.
 */
export interface Position {
  /** SHA-256 of the map's text, or `own` without one. */
  readonly map: string;
  /** `ts` of events that bring none: when the import began, so that a line is the same event at every attempt. */
  readonly time: number;
  readonly lines: number;
  /** SHA-256 of these lines, each with a newline behind it: the input must still begin with them. */
  readonly sha256: string;
  /** How many of these lines became events, and how many were skipped. The rest was blank. */
  readonly events: number;
  readonly skipped: number;
  readonly base: Head;
}

interface Held {
  /** Null while there is no object. */
  readonly etag: string | null;
  readonly bytes: Buffer | null;
}

const TRIES = 6;

/**
 * Where a log remembers an import: one object beside it, replaced only by whoever has seen its latest content. So of two
 * processes that import under one name, one stops at its next save.
 */
export class PositionFile {
  readonly #place: DerivedPlace;
  readonly #key: string;
  readonly #runtime: Runtime;
  #held: Held = { etag: null, bytes: null };

  constructor(place: DerivedPlace, name: string, runtime: Runtime) {
    this.#place = place;
    this.#key = `${place.root}_imports/${name}.json`;
    this.#runtime = runtime;
  }

  /** Null when there is none yet. @throws CliError when it cannot be understood */
  async read(): Promise<Position | null> {
    const object = await this.#place.objects.get(this.#key);
    if (object === null) return null;
    this.#held = { etag: object.etag, bytes: Buffer.from(object.body) };
    const position = parsePosition(Buffer.from(object.body).toString("utf8"));
    if (position !== null) return position;
    throw new CliError(
      "INVALID_CONFIG",
      "what the log remembers of this import cannot be understood; nothing was imported",
      {
        facts: { key: this.#key },
        hint: "find out from the log how far it got; then import the rest under another --name",
      },
    );
  }

  /** @throws CliError POSITION_TAKEN when another process has saved in between; EventStoreError UNAVAILABLE … */
  async save(position: Position): Promise<void> {
    // the id tells our own write from another's with the same content
    const bytes = Buffer.from(`${JSON.stringify({ version: 1, ...position, id: this.#runtime.id() })}\n`);
    for (let attempt = 0; ; attempt++) {
      const outcome = await this.#put(bytes);
      if (outcome.outcome === "stored") {
        this.#held = { etag: outcome.etag, bytes };
        return;
      }
      // an answer that was lost, or a refusal that an earlier try of ours caused: the object itself tells
      const object = await this.#place.objects.get(this.#key);
      if (object !== null && bytes.equals(object.body)) {
        this.#held = { etag: object.etag, bytes };
        return;
      }
      const { bytes: before } = this.#held;
      const unchanged = object === null ? before === null : before?.equals(object.body) === true;
      if (!unchanged) throw taken(this.#key);
      if (outcome.outcome === "unknown" && attempt + 1 >= TRIES) throw outcome.cause;
      await this.#runtime.sleep(this.#runtime.random() * 100 * 2 ** attempt);
    }
  }

  #put(bytes: Buffer): ReturnType<DerivedPlace["objects"]["putIfAbsent"]> {
    const { objects } = this.#place;
    const { etag } = this.#held;
    return etag === null ? objects.putIfAbsent(this.#key, bytes) : objects.replaceIfMatch(this.#key, bytes, etag);
  }
}

function taken(key: string): CliError {
  return new CliError("POSITION_TAKEN", "another process imports under the same name", {
    facts: { key },
    hint: "let it finish, or end it; running this command again then goes on behind it",
  });
}

function parsePosition(text: string): Position | null {
  let stored: unknown;
  try {
    stored = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof stored !== "object" || stored === null) return null;
  const { version, map, time, lines, sha256, events, skipped, base } = stored as Record<string, unknown>;
  const counts = [lines, events, skipped, time];
  if (version !== 1 || !counts.every((n) => Number.isSafeInteger(n)) || !isHash(sha256)) return null;
  if (typeof map !== "string" || !isHead(base)) return null;
  const [given, known, left, began] = counts as [number, number, number, number];
  return {
    map,
    time: began,
    lines: given,
    sha256,
    events: known,
    skipped: left,
    base: { seq: base.seq, hash: base.hash },
  };
}

function isHead(value: unknown): value is Head {
  if (typeof value !== "object" || value === null) return false;
  const { seq, hash } = value as Record<string, unknown>;
  return Number.isSafeInteger(seq) && isHash(hash);
}

function isHash(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}
