import type { RecordView } from "../core/record-view.js";

/** Counts the records of one aggregate as a read comes by them, in order. */
export class VersionCounter {
  #count: number | null;

  /** `known`: it begins with the first one. */
  constructor(known: boolean) {
    this.#count = known ? 0 : null;
  }

  /** It is told of all from the first one on after all. */
  begin(): void {
    this.#count = 0;
  }

  /** So many come before the next one, and are not counted otherwise. */
  skip(records: number): void {
    if (this.#count !== null) this.#count += records;
  }

  /** Some were not counted: no version is known from here on. */
  lose(): void {
    this.#count = null;
  }

  count(record: RecordView): void {
    if (this.#count !== null) record.aggregateVersion = ++this.#count;
  }
}
