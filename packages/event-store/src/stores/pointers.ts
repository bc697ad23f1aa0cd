import { VerificationError } from "../core/errors.js";
import { quote } from "../core/json/strings.js";
import { HASH_BYTES, LinkNotebook, type LinkNotes } from "../core/link-notes.js";
import type { BrokenPointer, Pointer, PointerFault } from "../core/pointer.js";
import type { HashNotebook } from "../core/hash-notebook.js";
import type { RecordFields } from "../core/record-scan.js";
import type { RecordView } from "../core/record-view.js";
import { string } from "../core/recorded-event.js";
import type { PointerReport } from "./port.js";

/** Records whose hashes and types are kept: 36 bytes each. What lies further back is looked up. */
const REMEMBERED = 1 << 20;
/** Look-ups under way. */
const WINDOW = 32;
/** Broken links that a report names. */
const NAMED = 100;
/** Types that are told apart; a log of more looks the others up. */
const MAX_TYPES = 65_536;
const UNKNOWN_TYPE = 0xffff_ffff;

export interface PointerCheckOptions {
  /** A record of the log, wherever it stands; null when there is none. @throws VerificationError when it is damaged */
  readonly recordOf: (seq: number) => Promise<RecordView | null>;
  /** Where the caller says that the log begins: what lies before may be gone. */
  readonly beginsBehind: number;
  /** For tests. */
  readonly remembered?: number | undefined;
}

type Verdict = BrokenPointer | "holds" | "unverified";

/**
 * Checks the links of the records of a walk against the records before them. Memory is bounded: hashes and types of the last
 * million records, a window of look-ups, and the first hundred broken links.
 */
export class PointerCheck {
  /** Takes notes of the records that are walked. */
  readonly notebook: LinkNotebook = new LinkNotebook();
  readonly #options: PointerCheckOptions;
  readonly #remembered: number;
  /** Rings: record `seq` is at `seq % #remembered`. */
  #hashes: Buffer | null = null;
  #types = new Uint32Array(0);
  readonly #typeNames = new Map<string, number>();
  /** Seqs that the rings hold: [from, to). */
  #from = 0;
  #to = 0;
  /** In the order of the events that have the links. */
  readonly #pending: Promise<Verdict>[] = [];
  #checked = 0;
  #unverified = 0;
  #brokenCount = 0;
  readonly #broken: BrokenPointer[] = [];

  constructor(options: PointerCheckOptions) {
    this.#options = options;
    this.#remembered = options.remembered ?? REMEMBERED;
  }

  /** Behind each step of the walk: checks what was noted, or what the step's own threads noted. */
  async take(links: LinkNotes | null | undefined = this.notebook.take()): Promise<void> {
    if (!links) return;
    this.#remember(links);
    for (const pointer of links.pointers) {
      const verdict = "reason" in pointer ? pointer : this.#judge(pointer);
      if (this.#pending.length === 0 && !(verdict instanceof Promise)) {
        this.#count(verdict);
        continue;
      }
      const pending = Promise.resolve(verdict);
      // It is met when its turn comes.
      pending.catch(() => undefined);
      this.#pending.push(pending);
      if (this.#pending.length >= WINDOW) await this.#next();
    }
  }

  /** What was found, once nothing is under way any more. */
  async conclude(): Promise<PointerReport> {
    await this.take();
    while (this.#pending.length > 0) await this.#next();
    return {
      checked: this.#checked,
      unverified: this.#unverified,
      brokenCount: this.#brokenCount,
      broken: [...this.#broken],
    };
  }

  async #next(): Promise<void> {
    const verdict = await this.#pending.shift();
    if (verdict) this.#count(verdict);
  }

  #count(verdict: Verdict): void {
    this.#checked++;
    if (verdict === "holds") return;
    if (verdict === "unverified") {
      this.#unverified++;
      return;
    }
    this.#brokenCount++;
    if (this.#broken.length < NAMED) this.#broken.push(verdict);
  }

  #remember({ first, count, hashes, types, typeNames }: LinkNotes): void {
    this.#hashes ??= Buffer.alloc(this.#remembered * HASH_BYTES);
    if (this.#types.length === 0) this.#types = new Uint32Array(this.#remembered);
    if (first !== this.#to) this.#from = first;
    const known = typeNames.map((name) => this.#typeOf(name));
    for (let i = Math.max(0, count - this.#remembered); i < count; i++) {
      const place = (first + i) % this.#remembered;
      this.#hashes.set(hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES), place * HASH_BYTES);
      this.#types[place] = known[types[i] as number] as number;
    }
    this.#to = first + count;
    this.#from = Math.max(this.#from, this.#to - this.#remembered);
  }

  #typeOf(name: string): number {
    const known = this.#typeNames.get(name);
    if (known !== undefined) return known;
    if (this.#typeNames.size >= MAX_TYPES) return UNKNOWN_TYPE;
    this.#typeNames.set(name, this.#typeNames.size);
    return this.#typeNames.size - 1;
  }

  #judge(pointer: Pointer): Verdict | Promise<Verdict> {
    const { triggerSeq, triggerHash, triggerType } = pointer;
    if (triggerSeq < this.#from || triggerSeq >= this.#to) return this.#lookUp(pointer);
    const place = triggerSeq % this.#remembered;
    const hash = this.#hashes?.toString("hex", place * HASH_BYTES, (place + 1) * HASH_BYTES) ?? "";
    if (hash !== triggerHash) return broken(pointer, "HASH_DIFFERS", triggerHash, hash);
    if (triggerType === null || this.#types[place] === this.#typeNames.get(quote(triggerType))) return "holds";
    // Another one: which, the record says.
    return this.#lookUp(pointer);
  }

  async #lookUp(pointer: Pointer): Promise<Verdict> {
    const { triggerSeq, triggerHash, triggerType } = pointer;
    let record: RecordView | null;
    try {
      record = await this.#options.recordOf(triggerSeq);
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      return broken(pointer, "DAMAGED", triggerHash, `${error.code} at seq ${String(error.seq)}`);
    }
    if (record === null) {
      if (triggerSeq <= this.#options.beginsBehind) return "unverified";
      return broken(pointer, "NOT_FOUND", triggerHash, "no such record");
    }
    if (record.eventHash !== triggerHash) return broken(pointer, "HASH_DIFFERS", triggerHash, record.eventHash);
    const type = string(record, record.typeStart, record.typeEnd);
    return triggerType === null || triggerType === type ? "holds" : broken(pointer, "TYPE_DIFFERS", triggerType, type);
  }
}

function broken(
  { seq, triggerSeq }: Pointer,
  reason: PointerFault,
  expected: string | number,
  actual: string | number,
): BrokenPointer {
  return { seq, reason, triggerSeq, expected, actual };
}

/** What `verify` notes of each record for its links and its hash, beside what it asks anyway. */
export function noting(
  check: PointerCheck | null,
  wanted: (record: RecordFields) => boolean,
  hashes: HashNotebook | null,
): (record: RecordFields) => boolean {
  if (check === null && hashes === null) return wanted;
  const notebook = check?.notebook;
  return (record) => {
    notebook?.add(record);
    hashes?.add(record);
    return wanted(record);
  };
}
