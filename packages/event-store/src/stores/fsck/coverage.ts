import type { SeqRange } from "../../log/keys.js";

/** Records that segments hold, as a few ranges. */
export class Coverage {
  readonly #ranges: SeqRange[] = [];

  /** In order of `first`. */
  add({ first, last }: SeqRange): void {
    const before = this.#ranges.at(-1);
    if (before === undefined || first > before.last + 1) this.#ranges.push({ first, last });
    else if (last > before.last) this.#ranges[this.#ranges.length - 1] = { first: before.first, last };
  }

  has(seq: number): boolean {
    const range = this.#ranges[this.#from(seq)];
    return range !== undefined && range.first <= seq;
  }

  /** The parts of a range that are not covered. */
  missing({ first, last }: SeqRange): SeqRange[] {
    const found: SeqRange[] = [];
    let next = first;
    for (let i = this.#from(first); next <= last; i++) {
      const range = this.#ranges[i];
      if (range === undefined || range.first > last) {
        found.push({ first: next, last });
        break;
      }
      if (range.first > next) found.push({ first: next, last: range.first - 1 });
      next = range.last + 1;
    }
    return found;
  }

  /** Index of the first range that does not end before `seq`. */
  #from(seq: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranges[middle]?.last ?? 0) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
