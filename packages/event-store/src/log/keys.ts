import { ConfigError } from "../core/errors.js";
import { MAX_SEQ } from "../core/event.js";

const EVENT_NAME = /^[0-9]{10}\.json$/;
const SNAPSHOT_NAME = /^([A-Za-z0-9._-]{1,100})\/([1-9][0-9]{0,15})\/([0-9]{10})\.json$/;
const SEGMENT_NAME = /^([0-9]{10})-([0-9]{10})\.jsonl\.gz$/;
const INDEX_NAME = /^([0-9]{10})-([0-9]{10})\.idx$/;

/** `runs`: the records of a segment, sorted by aggregate. `directories`: which runs hold an aggregate. */
export type IndexKind = "runs" | "directories";

const POSITION_NAME = /^[A-Za-z0-9._-]{1,200}$/;

/** Inclusive. */
export interface SeqRange {
  readonly first: number;
  readonly last: number;
}

export interface SnapshotName {
  readonly name: string;
  readonly version: number;
  readonly seq: number;
}

/**
 * The one place where sequence numbers and names become object keys, and back (docs/SPEC.md, "Keys"):
 * `{prefix}/{seq:010d}.json` is an event object; everything else of ours has a name that begins with `_` (but for `policyProbe`).
 */
export class LogKeys {
  /** What all keys of this log begin with: the prefix and a slash; empty for a log at the root of a bucket. */
  readonly root: string;
  /** The head hint. */
  readonly head: string;
  /** What the backend is proved on. */
  readonly probe: string;
  /**
   * What a bucket's policy is tried on: no policy tells it from an event key, and to readers it is none. It sorts before all events, so
   * that no look for the log's end ever meets it.
   */
  readonly policyProbe: string;
  /** Sorts behind every event key. */
  readonly #lastEvent: string;

  /** A trailing slash of `prefix` does not count. @throws ConfigError */
  constructor(prefix: string, headKey?: string) {
    if (typeof (prefix as unknown) !== "string") throw new ConfigError("the prefix is not a string");
    const trimmed = prefix.replace(/\/+$/, "");
    if (!trimmed.isWellFormed() || Buffer.byteLength(trimmed) > 900) {
      throw new ConfigError("the prefix is not usable as part of a key", {
        hint: "a prefix is well-formed text of at most 900 bytes",
      });
    }
    this.root = trimmed === "" ? "" : `${trimmed}/`;
    this.head = headKey ?? `${this.root}_head.json`;
    this.probe = `${this.root}_probe.json`;
    this.policyProbe = `${this.root}0-probe-01.json`;
    this.#lastEvent = this.event(MAX_SEQ);
    if (this.seqOf(this.head) !== null)
      throw new ConfigError(`the head key ${this.head} is the key of an event`, {
        hint: "choose a name that begins with _",
      });
  }

  event(seq: number): string {
    return `${this.root}${digits(seq)}.json`;
  }

  /** The seq that an event key names; null for every other key. */
  seqOf(key: string): number | null {
    if (!key.startsWith(this.root)) return null;
    const name = key.slice(this.root.length);
    return EVENT_NAME.test(name) ? Number(name.slice(0, 10)) : null;
  }

  /** What the keys of all segments begin with. */
  get segments(): string {
    return `${this.root}_segments/`;
  }

  /** Records `first` … `last`, compacted. */
  segment(first: number, last: number): string {
    return `${this.segments}${digits(first)}-${digits(last)}.jsonl.gz`;
  }

  /** What LIST starts after to see the segments that begin at `seq` or later. */
  beforeSegments(seq: number): string {
    return this.segments + digits(seq);
  }

  /** The range that a segment's key names; null for every other key. */
  segmentOf(key: string): SeqRange | null {
    return key.startsWith(this.segments) ? rangeOf(SEGMENT_NAME, key.slice(this.segments.length)) : null;
  }

  /** What the keys of all index files begin with. */
  get index(): string {
    return `${this.root}_index/`;
  }

  /** The durable position of the consumers of one name. @throws ConfigError when the name is not usable as one */
  position(name: string): string {
    if (!POSITION_NAME.test(name)) {
      throw new ConfigError(`${JSON.stringify(name)} cannot be the name of a position`, {
        hint: "a name is 1 to 200 of the characters A-Z a-z 0-9 . _ -",
      });
    }
    return `${this.root}_positions/${name}.json`;
  }

  /** What the keys of the Merkle tree's tiles and of signed checkpoints begin with. */
  get tlog(): string {
    return `${this.root}_tlog/`;
  }

  /** What the keys of all snapshots begin with. */
  get snapshots(): string {
    return `${this.root}_snapshots/`;
  }

  /** What the keys of a projection's snapshots begin with. */
  snapshotsOf(name: string, version: number): string {
    return `${this.snapshots}${name}/${String(version)}/`;
  }

  /** The state of a projection, by the name and version of its code, once it has seen the records up to `seq`. */
  snapshot(name: string, version: number, seq: number): string {
    return `${this.snapshotsOf(name, version)}${digits(seq)}.json`;
  }

  /** What a snapshot's key names; null for every other key. */
  snapshotOf(key: string): SnapshotName | null {
    if (!key.startsWith(this.snapshots)) return null;
    const [, name, version, seq] = SNAPSHOT_NAME.exec(key.slice(this.snapshots.length)) ?? [];
    return name === undefined ? null : { name, version: Number(version), seq: Number(seq) };
  }

  /** What the keys of all index files of a kind begin with. */
  indexPrefix(kind: IndexKind): string {
    return `${this.index}${kind}/`;
  }

  /** The index file of a kind on the records `first` … `last`. */
  indexFile(kind: IndexKind, { first, last }: SeqRange): string {
    return `${this.indexPrefix(kind)}${digits(first)}-${digits(last)}.idx`;
  }

  /** What LIST starts after to see the index files that begin at `seq` or later. */
  beforeIndex(kind: IndexKind, seq: number): string {
    return this.indexPrefix(kind) + digits(seq);
  }

  /** The range that the key of an index file names; null for every other key. */
  indexRangeOf(kind: IndexKind, key: string): SeqRange | null {
    const prefix = this.indexPrefix(kind);
    return key.startsWith(prefix) ? rangeOf(INDEX_NAME, key.slice(prefix.length)) : null;
  }

  /** What LIST starts after to see every event key beyond `seq`; −1 sees all. */
  after(seq: number): string {
    return seq < 0 ? this.root : this.event(seq);
  }

  /** No event key can follow this one. */
  isPastEvents(key: string): boolean {
    return Buffer.compare(Buffer.from(key), Buffer.from(this.#lastEvent)) > 0;
  }
}

function digits(seq: number): string {
  return String(seq).padStart(10, "0");
}

function rangeOf(pattern: RegExp, name: string): SeqRange | null {
  const [, first, last] = pattern.exec(name) ?? [];
  return first === undefined || last === undefined || first > last
    ? null
    : { first: Number(first), last: Number(last) };
}
