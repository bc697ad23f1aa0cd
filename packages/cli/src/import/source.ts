import type { Hash } from "node:crypto";
import { createHash } from "node:crypto";
import { InvalidEventError, JsonText } from "@rynxs/event-store";
import { CliError, extend } from "../exit.js";
import { decodeUtf8, isBlank, splitLines } from "../lines.js";
import type { MappedEvent, Mapper } from "./event.js";
import type { Position } from "./position.js";

/** What the first `lines` lines of the input came to. */
export type Mark = Pick<Position, "lines" | "sha256" | "events" | "skipped">;

/** An event, and the state of affairs once it is in the log. */
export interface Sourced {
  readonly event: MappedEvent;
  readonly line: number;
  readonly bytes: number;
  readonly mark: () => Mark;
}

const NEWLINE = Buffer.from("\n");

/** The lines of an input as events, from behind what an earlier run did with them. */
export class Source {
  readonly #input: AsyncIterable<Uint8Array>;
  readonly #mapper: Mapper;
  readonly #hash: Hash = createHash("sha256");
  #lines = 0;
  #events = 0;
  #skipped = 0;

  constructor(input: AsyncIterable<Uint8Array>, mapper: Mapper) {
    this.#input = input;
    this.#mapper = mapper;
  }

  /** Of all that was read so far. */
  mark(): Mark {
    return markOf(this.#hash.copy(), this.#lines, this.#events, this.#skipped);
  }

  /**
   * The events of the lines behind `done`, which are checked to be those that it says, but not mapped again.
   * @throws CliError with the line's number at the first line that becomes no event, or when the input's beginning has changed
   */
  async *events(done: Mark): AsyncGenerator<Sourced, void, undefined> {
    let checked = done.lines === 0;
    for await (const line of splitLines(this.#input)) {
      this.#hash.update(line).update(NEWLINE);
      this.#lines += 1;
      if (this.#lines < done.lines) continue;
      if (!checked) {
        if (this.mark().sha256 !== done.sha256) throw changed(done.lines);
        this.#events = done.events;
        this.#skipped = done.skipped;
        checked = true;
        continue;
      }
      const event = isBlank(line) ? undefined : this.#map(line);
      if (event === null) this.#skipped += 1;
      if (!event) continue;
      this.#events += 1;
      const [hash, lines, events, skipped] = [this.#hash.copy(), this.#lines, this.#events, this.#skipped];
      yield { event, line: lines, bytes: line.length, mark: () => markOf(hash.copy(), lines, events, skipped) };
    }
    if (!checked) throw changed(done.lines);
  }

  #map(line: Buffer): MappedEvent | null {
    try {
      return this.#mapper(JsonText.parse(decodeUtf8(line)));
    } catch (error) {
      const problem =
        error instanceof TypeError ? new InvalidEventError("$", "not UTF-8", "write the input as UTF-8") : error;
      throw extend(problem, `line ${String(this.#lines)} refused`, { line: this.#lines }, {});
    }
  }
}

export const NOTHING_DONE: Mark = markOf(createHash("sha256"), 0, 0, 0);

function markOf(hash: Hash, lines: number, events: number, skipped: number): Mark {
  return { lines, sha256: hash.digest("hex"), events, skipped };
}

function changed(lines: number): CliError {
  return new CliError(
    "INVALID_CONFIG",
    `the input does not begin with the ${String(lines)} lines that were imported; nothing more was`,
    {
      hint: "give the same input, which may have grown at its end; another one is imported under another --name",
    },
  );
}
