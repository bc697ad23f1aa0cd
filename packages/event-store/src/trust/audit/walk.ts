import { VerificationError } from "../../core/errors.js";
import { MAX_SEQ, type Head, type RecordedEvent } from "../../core/event.js";
import type { EventStore } from "../../stores/port.js";
import { SeqCollector } from "./seq-list.js";

export interface WalkOptions {
  readonly from: number;
  readonly to: number;
  readonly signal?: AbortSignal | undefined;
  /** Each good record, but for those that could only be looked at by themselves. */
  readonly onEvent: (event: RecordedEvent) => void;
}

export interface Walked {
  readonly valid: number;
  readonly apart: SeqCollector;
  readonly invalid: SeqCollector;
  readonly missing: SeqCollector;
  /** In order; a hundred at most. */
  readonly faults: readonly VerificationError[];
  readonly unexaminedFrom: number | null;
  /** The last good record. */
  readonly head: Head | null;
}

/** Where and how the walk goes on: linked to the record before (or to a hash of it), or with one record that is looked at by itself. */
type Start =
  | { readonly kind: "linked"; readonly at: number; readonly anchorHash?: string | undefined }
  | { readonly kind: "alone"; readonly at: number };

const MAX_FAULTS = 100;
/** What is wrong there is that nothing follows. */
const AT_THE_END: ReadonlySet<string> = new Set(["TRUNCATED", "HEAD_CONTRADICTS_LOG", "TORN_TAIL"]);

/**
 * Walks a range and, unlike a read, goes on behind what is wrong, as far as that is possible: the verdict is the first fault's, but which records
 * are good, changed or missing is worth knowing of all.
 */
export async function walkPast(store: EventStore, options: WalkOptions): Promise<Walked> {
  const walk = new Walk(store, options);
  await walk.run();
  return walk;
}

class Walk implements Walked {
  valid = 0;
  readonly apart: SeqCollector = new SeqCollector();
  readonly invalid: SeqCollector = new SeqCollector();
  readonly missing: SeqCollector = new SeqCollector();
  readonly faults: VerificationError[] = [];
  unexaminedFrom: number | null = null;
  head: Head | null = null;
  readonly #store: EventStore;
  readonly #options: WalkOptions;

  constructor(store: EventStore, options: WalkOptions) {
    this.#store = store;
    this.#options = options;
  }

  async run(): Promise<void> {
    const { from, to } = this.#options;
    let ways: Start[] = [{ kind: "linked", at: from }];
    for (let start = ways.shift(); start !== undefined && start.at <= to; start = ways.shift()) {
      if (this.faults.length >= MAX_FAULTS) {
        this.unexaminedFrom = start.at;
        return;
      }
      if (start.kind === "alone") {
        ways = await this.#alone(start.at);
        continue;
      }
      const { fault, next } = await this.#linked(start);
      if (fault === null) return;
      // This way on leads nowhere; the next one may.
      if (next === start.at && ways.length > 0) continue;
      ways = this.#waysOn(fault, next);
    }
  }

  /** Reads on from there, up to a fault or the end. */
  async #linked({
    at,
    anchorHash,
  }: {
    readonly at: number;
    readonly anchorHash?: string | undefined;
  }): Promise<{ readonly fault: VerificationError | null; readonly next: number }> {
    const { to, signal, onEvent } = this.#options;
    const place = anchorHash === undefined ? { fromSeq: at } : { anchor: { seq: at - 1, hash: anchorHash } };
    let next = at;
    try {
      for await (const event of this.#store.read({ ...place, ...(to < MAX_SEQ && { toSeq: to }), signal })) {
        this.#good(event.seq, event.eventHash);
        onEvent(event);
        next = event.seq + 1;
      }
      return { fault: null, next };
    } catch (error) {
      if (error instanceof VerificationError) return { fault: error, next };
      throw error;
    }
  }

  async #alone(seq: number): Promise<Start[]> {
    try {
      const hash = await this.#store.getEventHash(seq);
      if (hash === null) return [];
      this.#good(seq, hash);
      return [
        { kind: "linked", at: seq + 1 },
        { kind: "alone", at: seq + 1 },
      ];
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      return this.#waysOn(error, seq);
    }
  }

  #good(seq: number, hash: string): void {
    this.valid++;
    if (this.faults.length > 0) this.apart.add(seq);
    this.head = { seq, hash };
  }

  /** Notes a fault, and says how to go on behind it. `next`: nothing before it is to be looked at again. */
  #waysOn(fault: VerificationError, next: number): Start[] {
    const { code, seq, actual, expected } = fault;
    this.faults.push(fault);
    if (AT_THE_END.has(code)) return [];
    const at = Math.max(seq, next);
    const last = this.#options.to;
    if (code === "GAP" && typeof actual === "number" && actual > at) {
      this.missing.add(at, Math.min(actual - 1, last));
      return [{ kind: "alone", at: actual }];
    }
    if (code === "DUPLICATE") return [{ kind: "alone", at }];
    this.invalid.add(at);
    const stated = code === "HASH_MISMATCH" && seq === at ? String(expected) : undefined;
    return [
      ...(stated === undefined ? [] : [{ kind: "linked", at: at + 1, anchorHash: stated } as const]),
      { kind: "linked", at: at + 1 },
      { kind: "alone", at: at + 1 },
    ];
  }
}
