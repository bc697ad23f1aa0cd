import type { RecordedEvent } from "@rynxs/event-store";
import { compactJson, displayWidth, oneLine, pad, shorten, showTime } from "./text.js";

const HEADINGS = ["SEQ", "TIME", "TYPE", "AGGREGATE"] as const;
/** Where the columns start from; a longer value widens its column from then on, up to the most. */
const WIDTHS = [6, 24, 16, 16];
const MOST = [10, 40, 40, 40];
const GAP = "  ";
/** The payload gets this many columns even where the terminal is narrower. */
const LEAST_PAYLOAD = 20;

/** A table that grows row by row: no row waits for the next one, and none is kept. */
export class EventTable {
  readonly #columns: number | undefined;
  readonly #widths = [...WIDTHS];

  /** @param columns of the terminal; undefined: nothing is cut */
  constructor(columns: number | undefined) {
    this.#columns = columns;
  }

  heading(): string {
    return this.#layOut([...HEADINGS], "PAYLOAD");
  }

  row(event: RecordedEvent): string {
    const cells = [String(event.seq), showTime(event.ts), oneLine(event.type), oneLine(event.aggregateId)];
    return this.#layOut(cells, oneLine(compactJson(event.payload)));
  }

  #layOut(cells: readonly string[], payload: string): string {
    const shown = cells.map((cell, i) => {
      const most = this.#columns === undefined ? Infinity : (MOST[i] ?? 0);
      const text = shorten(cell, most);
      const width = Math.max(this.#widths[i] ?? 0, Math.min(displayWidth(text), MOST[i] ?? 0));
      this.#widths[i] = width;
      return pad(text, width, i === 0 ? "right" : "left");
    });
    const left = shown.join(GAP) + GAP;
    if (this.#columns === undefined) return left + payload;
    return left + shorten(payload, Math.max(LEAST_PAYLOAD, this.#columns - displayWidth(left)));
  }
}
