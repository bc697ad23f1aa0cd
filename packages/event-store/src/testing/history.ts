import type { NewEvent } from "../core/event.js";

/** What an append was told. `failed`: certainly not committed. `unknown`: may be in the log, now or later; also while it runs. */
export type AppendOutcome =
  | { readonly kind: "committed"; readonly records: readonly Acknowledged[] }
  | { readonly kind: "conflict"; readonly observed: string; readonly observedVersion?: number | undefined }
  | { readonly kind: "failed" | "unknown" };

export interface Acknowledged {
  readonly seq: number;
  readonly eventHash: string;
}

interface Expectations {
  readonly prevHash: string | undefined;
  readonly version: number | undefined;
}

/** One append of a history, from its invocation on. */
export class AppendInvocation {
  readonly name: string;
  readonly events: readonly NewEvent[];
  readonly expectedPrevHash: string | undefined;
  /** Of its aggregate. */
  readonly expectedVersion: number | undefined;
  /** The highest seq that anybody had been told of when it began: its own must be higher. */
  readonly floor: number;
  readonly #told: (seq: number) => void;
  #outcome: AppendOutcome = { kind: "unknown" };

  /** Use `History.invoke`. */
  constructor(
    name: string,
    events: readonly NewEvent[],
    expected: Expectations,
    floor: number,
    told: (seq: number) => void,
  ) {
    this.name = name;
    this.events = events;
    this.expectedPrevHash = expected.prevHash;
    this.expectedVersion = expected.version;
    this.floor = floor;
    this.#told = told;
  }

  get outcome(): AppendOutcome {
    return this.#outcome;
  }

  /** Acknowledged: one record for each event. */
  committed(...records: readonly Acknowledged[]): void {
    this.#outcome = { kind: "committed", records };
    for (const { seq } of records) this.#told(seq);
  }

  conflict(observedPrevHash: string, observedVersion?: number): void {
    this.#outcome = { kind: "conflict", observed: observedPrevHash, observedVersion };
  }

  failed(): void {
    this.#outcome = { kind: "failed" };
  }

  unknown(): void {
    this.#outcome = { kind: "unknown" };
  }
}

/** One read of a history, or one look at the head. */
export class ReadInvocation {
  readonly name: string;
  /** A read to the end that begins now must reach this seq. */
  readonly floor: number;
  readonly seen: Acknowledged[] = [];
  /** The first seq of a read without gaps; null when it leaves records out. */
  readonly from: number | null;
  readonly #told: (seq: number) => void;
  reachedEnd = false;

  /** Use `History.read`. */
  constructor(name: string, from: number | null, floor: number, told: (seq: number) => void) {
    this.name = name;
    this.from = from;
    this.floor = floor;
    this.#told = told;
  }

  saw(seq: number, eventHash: string): void {
    this.seen.push({ seq, eventHash });
    this.#told(seq);
  }

  /** It ended by itself at what it took for the log's end. */
  end(): void {
    this.reachedEnd = true;
  }
}

/**
 * What any number of concurrent writers and readers of one log did and were told, for `checkHistory` to hold it against
 * the log in the end.
 * The log was empty when the history began. Give each event something of its own (an id in its payload), or a duplicate
 * may pass for an event of the same content whose outcome is unknown.
 */
export class History {
  readonly appends: AppendInvocation[] = [];
  readonly reads: ReadInvocation[] = [];
  #known = -1;
  readonly #told = (seq: number): void => {
    this.#known = Math.max(this.#known, seq);
  };

  /** An append begins. Tell its outcome as soon as it is known: the order of calls is the order of the history. */
  invoke(events: readonly NewEvent[], expectedPrevHash?: string, expectedVersion?: number): AppendInvocation {
    const append = new AppendInvocation(
      `append ${String(this.appends.length)}`,
      events,
      { prevHash: expectedPrevHash, version: expectedVersion },
      this.#known,
      this.#told,
    );
    this.appends.push(append);
    return append;
  }

  /** A read begins, at seq `from`; null when it shows only some of the records. */
  read(from: number | null = 0): ReadInvocation {
    const read = new ReadInvocation(`read ${String(this.reads.length)}`, from, this.#known, this.#told);
    this.reads.push(read);
    return read;
  }
}
