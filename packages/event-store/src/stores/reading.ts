import { ConfigError, VerificationError } from "../core/errors.js";
import { GENESIS_HASH, MAX_SEQ, type Anchor, type Head } from "../core/event.js";
import { anchorDiffers, endsBefore, expectationFailed, headContradiction } from "../core/head-check.js";
import { HashNotebook } from "../core/hash-notebook.js";
import { isHash } from "../core/hash.js";
import { quote } from "../core/json/strings.js";
import type { RecordFields } from "../core/record-scan.js";
import type { RecordView } from "../core/record-view.js";
import { noting, PointerCheck } from "./pointers.js";
import type { InclusionChecker, RangeOptions, ReadOptions, VerifyOptions, VerifyReport } from "./port.js";
import { readIndexed } from "./read-indexed.js";
import type { RecordSource } from "./record-source.js";
import { VersionCounter } from "./version-counter.js";

/** The verified records of a read that pass its filters, some at a time. `versions` as in `walkVerified`. @throws VerificationError */
export async function* readVerified(
  source: RecordSource,
  logHead: () => Promise<Head>,
  options: ReadOptions,
  versions = false,
): AsyncGenerator<readonly RecordView[]> {
  for await (const { records } of walkVerified(source, logHead, options, versions))
    if (records.length > 0) yield records;
}

/** Some records of a read. */
export interface ReadStep {
  /** Those that pass the filters. */
  readonly records: readonly RecordView[];
  /** The last record that was verified so far, and how far the log is known to reach. */
  readonly head: Head;
  readonly knownEnd: number;
}

/**
 * The steps of a read, whether any record of them passes its filters or not. A read that meets the log's end fails, after its last
 * record, when the stored head shows that there was more. `versions`: number the records of an aggregate, where that costs no walk.
 * @throws VerificationError
 */
export async function* walkVerified(
  source: RecordSource,
  logHead: () => Promise<Head>,
  options: ReadOptions,
  versions = false,
): AsyncGenerator<ReadStep> {
  const range = checkRange(options);
  const inclusion = inclusionOf(options);
  const { ofAggregate, ofType } = filters(options);
  const { signal } = options;
  const toSeq = options.toSeq ?? (inclusion ? inclusion.size - 1 : MAX_SEQ);
  if (toSeq < range.fromSeq && inclusion) return;
  const watch = new HeadWatch(await source.storedHead(signal));
  const { likelyEnd = -1 } = watch.hint;
  const counter = ofAggregate && versions ? new VersionCounter(range.fromSeq === 0) : null;
  // An aggregate's records of other types count.
  const passes = (record: RecordFields): boolean =>
    ofAggregate?.(record) !== false && (counter !== null || ofType?.(record) !== false);
  const filtered = ofAggregate !== undefined || ofType !== undefined;
  const wanted = filtered ? (record: RecordFields) => watch.awaits(record.seq) || passes(record) : undefined;
  const onAnchor = (anchor: Anchor): void => options.onAnchor?.(anchor);
  const indexed = wanted && (await readIndexed(source, options, { ...range, toSeq, wanted, counter, ...watch.hint }));
  // This one, the log was asked for.
  if (indexed) watch.see(indexed.covered);
  const steps = indexed?.steps ?? source.walk({ ...range, toSeq, signal, onAnchor, wanted, ...watch.hint });
  let end: Head | null = null;
  for await (const { records, head } of steps) {
    end = head;
    for (const record of records) if (watch.awaits(record.seq)) watch.see(headOf(record));
    const found = filtered ? records.filter(passes) : records;
    if (counter) for (const record of found) counter.count(record);
    const asked = counter && ofType ? found.filter(ofType) : found;
    if (inclusion && asked.length > 0) await inclusion.check(asked, signal);
    yield { records: asked, head, knownEnd: Math.max(likelyEnd, head.seq) };
  }
  // A read that stopped where it was told to says nothing of the end; every other one has met it.
  if ((end ?? before(range)).seq >= toSeq) return;
  const problem = await watch.conclude(source, end ?? before(range), signal);
  if (problem) throw headContradiction(problem.head, end ?? (await logHead()), problem.actual);
}

/** Walks to the end and reports; only trouble with the backend throws. */
export async function verifyLog(
  source: RecordSource,
  logHead: () => Promise<Head>,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const range = checkRange(options);
  if (options.expectedHead) checkHead("expectedHead", options.expectedHead);
  checkWorkers(options.workers);
  const { signal } = options;
  const stored = new HeadWatch(await source.storedHead(signal));
  const expected = new HeadWatch(options.expectedHead ?? null);
  let end: Head = options.anchor ?? NOTHING;
  let anchor: Anchor = { ...end, source: options.anchor ? "caller" : "record" };
  let events = 0;
  const links = options.pointers === true ? pointerCheck(source, options) : null;
  const notebook = options.onHashes ? new HashNotebook() : null;
  const seenBy = (record: RecordFields): boolean => stored.awaits(record.seq) || expected.awaits(record.seq);
  try {
    for await (const { records, seen = [], links: noted, hashes, head, count } of source.walk({
      ...range,
      toSeq: MAX_SEQ,
      signal,
      onAnchor: (found) => (anchor = end = found),
      wanted: noting(links, seenBy, notebook),
      links: links !== null,
      hashes: notebook !== null,
      objectsFirst: options.segments !== true,
      threads: options.workers,
      marks: [...stored.marks, ...expected.marks],
      ...stored.hint,
    })) {
      for (const record of [...records.map(headOf), ...seen]) {
        stored.see(record);
        expected.see(record);
      }
      end = head;
      events += count;
      if (links) await links.take(noted);
      if (notebook && count > 0) await options.onHashes?.(bufferOf(hashes) ?? notebook.take(count, head.seq));
      options.onProgress?.({ events, seq: end.seq });
    }
    if (events === 0 && range.fromSeq > 0) {
      end = NOTHING;
      end = await logHead();
      checkStart(range.fromSeq - 1, options.anchor, end);
    }
    const problem = await stored.conclude(source, end, signal);
    if (problem) throw headContradiction(problem.head, end, problem.actual);
    const unmet = await expected.conclude(source, end, signal);
    if (unmet) throw expectationFailed(unmet.head, end, unmet.actual);
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    const fault = cutNotTorn(error, end, options.expectedHead) ?? error;
    const pointers = links && (await links.conclude());
    return {
      valid: false,
      events,
      head: { seq: end.seq, hash: end.hash },
      anchor,
      error: fault,
      ...(pointers && { pointers }),
    };
  }
  const pointers = links && (await links.conclude());
  return { valid: true, events, head: { seq: end.seq, hash: end.hash }, anchor, ...(pointers && { pointers }) };
}

function bufferOf(bytes: Uint8Array | undefined): Buffer | undefined {
  return bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function pointerCheck(source: RecordSource, { anchor, signal }: VerifyOptions): PointerCheck {
  return new PointerCheck({ recordOf: (seq) => source.recordOf(seq, signal), beginsBehind: anchor?.seq ?? -1 });
}

/** A walk that met no record: does the log, which ends at `end`, reach record `start`, behind which it was to begin? */
function checkStart(start: number, anchor: Head | undefined, end: Head): void {
  if (end.seq < start) throw endsBefore(start, end);
  if (end.seq === start && anchor && anchor.hash !== end.hash) throw anchorDiffers(anchor, end.hash);
}

/** An unfinished line where the caller knows that more stood is no trace of a crash. */
function cutNotTorn(error: VerificationError, end: Head, expected: Head | undefined): VerificationError | null {
  if (error.code !== "TORN_TAIL" || !expected || expected.seq <= end.seq) return null;
  const { seq, actual, facts } = error;
  return new VerificationError("TORN_TAIL", { seq, expected: error.expected, actual }, error.message, {
    facts,
    hint: `the log is known to have reached seq ${String(expected.seq)}: this is a cut, not the trace of a crash; keep the file as it is, and do not append to it`,
  });
}

/** Compares a head with the log that is being walked. */
class HeadWatch {
  readonly #head: Head | null;
  #seen: string | undefined;

  constructor(head: Head | null) {
    this.#head = head;
  }

  /** Is it this record that it wants to see? */
  awaits(seq: number): boolean {
    return seq === this.#head?.seq;
  }

  see({ seq, hash }: Head): void {
    if (this.awaits(seq)) this.#seen = hash;
  }

  get marks(): readonly number[] {
    return this.#head === null ? [] : [this.#head.seq];
  }

  /** How far the log is likely to reach. */
  get hint(): { readonly likelyEnd?: number } {
    return this.#head === null ? {} : { likelyEnd: this.#head.seq };
  }

  /** Null when the log bears the head out, else what it has in that place. A head before the walked range is looked up. */
  async conclude(
    source: RecordSource,
    end: Head,
    signal?: AbortSignal,
  ): Promise<{ readonly head: Head; readonly actual: string | null } | null> {
    const head = this.#head;
    if (head === null || head.seq < 0) return null;
    const actual = head.seq > end.seq ? null : (this.#seen ?? (await source.hashOf(head.seq, signal)));
    return actual === head.hash ? null : { head, actual };
  }
}

function headOf(record: RecordView): Head {
  return { seq: record.seq, hash: record.eventHash };
}

/** The head of a log without records. */
const NOTHING: Head = { seq: -1, hash: GENESIS_HASH };

/** Where a walk stands before its first record. */
function before(range: { readonly fromSeq: number; readonly anchor?: Head }): Head {
  return range.anchor ?? { seq: range.fromSeq - 1, hash: GENESIS_HASH };
}

type Filter = (record: RecordFields) => boolean;

/** Passes the records that a read is for; undefined when those are all. */
export function recordFilter(options: ReadOptions): Filter | undefined {
  const { ofAggregate, ofType } = filters(options);
  if (!ofAggregate || !ofType) return ofAggregate ?? ofType;
  return (record) => ofAggregate(record) && ofType(record);
}

/** Compares canonical bytes: nothing is parsed for a record that is not wanted. Undefined where all are. */
function filters({ aggregateId, type }: ReadOptions): { ofAggregate: Filter | undefined; ofType: Filter | undefined } {
  const id = aggregateId === undefined ? null : Buffer.from(quote(aggregateId));
  const name = type === undefined ? null : Buffer.from(quote(type));
  return {
    ofAggregate: id ? (record) => stands(id, record.bytes, record.aggregateIdStart, record.aggregateIdEnd) : undefined,
    ofType: name ? (record) => stands(name, record.bytes, record.typeStart, record.typeEnd) : undefined,
  };
}

/** From the end: names of one kind differ there. */
function stands(text: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  for (let i = text.length - 1; i >= 0; i--) if (text[i] !== bytes[start + i]) return false;
  return true;
}

function checkRange(options: RangeOptions & { readonly toSeq?: number | undefined }): {
  fromSeq: number;
  anchor?: Head;
} {
  const { anchor, toSeq } = options;
  if (anchor) checkHead("anchor", anchor);
  const fromSeq = options.fromSeq ?? (anchor ? anchor.seq + 1 : 0);
  checkSeq("fromSeq", fromSeq);
  if (toSeq !== undefined) checkSeq("toSeq", toSeq);
  if (anchor && fromSeq !== anchor.seq + 1) {
    throw new ConfigError(`fromSeq is ${String(fromSeq)}, but the anchor is record ${String(anchor.seq)}`, {
      hint: "an anchor is the record right before fromSeq",
    });
  }
  return anchor && anchor.seq >= 0 ? { fromSeq, anchor } : { fromSeq };
}

/** Where a range begins. @throws ConfigError when it is no range */
export function firstSeqOf(options: RangeOptions): number {
  return checkRange(options).fromSeq;
}

export function checkSeq(name: string, seq: number): void {
  if (Number.isInteger(seq) && seq >= 0 && seq <= MAX_SEQ) return;
  throw new ConfigError(`${name} must be a seq, not ${String(seq)}`, {
    hint: `a seq is an integer from 0 to ${String(MAX_SEQ)}`,
  });
}

/** What the records of a read are checked against, beside themselves. @throws ConfigError */
function inclusionOf({ verify, inclusion, toSeq }: ReadOptions): InclusionChecker | null {
  if (verify === undefined || verify === "record" || verify === "chain") return null;
  if ((verify as string) !== "inclusion") throw new ConfigError(`verify must be "record", "chain" or "inclusion"`);
  if (inclusion === undefined)
    throw new ConfigError(`verify: "inclusion" needs a checkpoint to check against`, {
      hint: "give `inclusion: inclusionChecker(store, checkpoint)` of @rynxs/event-store/trust",
    });
  if (toSeq !== undefined && toSeq >= inclusion.size)
    throw new ConfigError(`toSeq is ${String(toSeq)}, but the checkpoint has ${String(inclusion.size)} records`, {
      hint: "records behind it are not signed yet: leave toSeq out, or take a later checkpoint",
    });
  return inclusion;
}

function checkWorkers(workers: number | undefined): void {
  if (workers === undefined || (Number.isInteger(workers) && workers >= 1 && workers <= 64)) return;
  throw new ConfigError(`workers must be a number of threads from 1 to 64, not ${String(workers)}`);
}

function checkHead(name: string, head: Head): void {
  if (head.seq !== -1) checkSeq(`${name}.seq`, head.seq);
  if (!isHash(head.hash)) throw new ConfigError(`${name}.hash must be 64 lowercase hex digits`);
}
