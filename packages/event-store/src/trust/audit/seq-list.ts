/** Which records something is true of, in few words however many they are. */
export interface SeqList {
  readonly count: number;
  /** The first hundred runs of them, inclusive, ascending. */
  readonly ranges: readonly (readonly [first: number, last: number])[];
  /** Whether the ranges are all there are. */
  readonly isComplete: boolean;
}

const MAX_RANGES = 100;

/** Makes a `SeqList` of seqs that come in ascending order. */
export class SeqCollector {
  #count = 0;
  #isComplete = true;
  readonly #ranges: [number, number][] = [];

  add(first: number, last: number = first): void {
    this.#count += last - first + 1;
    const end = this.#ranges.at(-1);
    if (this.#isComplete && end?.[1] === first - 1) end[1] = last;
    else if (this.#ranges.length < MAX_RANGES) this.#ranges.push([first, last]);
    else this.#isComplete = false;
  }

  get list(): SeqList {
    return { count: this.#count, ranges: this.#ranges, isComplete: this.#isComplete };
  }
}
