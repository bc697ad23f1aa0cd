import type { LogKeys } from "./keys.js";

/** What a key under a log's prefix is to the log. */
export type KeyKind =
  | "event"
  | "head"
  | "probe"
  | "segment"
  | "index"
  | "snapshot"
  | "position"
  | "import"
  | "tlog"
  /** What a policy, or a backend, was tried on, and what should have been removed again. */
  | "leftover-probe"
  /** An event, or something else, of a log in a folder of this one's. */
  | "nested"
  | "stranger";

/** docs/operations/import.md; made by the command line. */
const IMPORT = /^_imports\/[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.json$/;
const POSITION = /^_positions\/([A-Za-z0-9._-]{1,200})\.json$/;
/** C2SP tlog-tiles: levels 0 … 63, numbers in groups of three digits, all but the last with an x, partial tiles of 1 … 255. */
const TILE =
  /^_tlog\/tile\/(?:entries|[0-9]|[1-5][0-9]|6[0-3])\/((?:x[0-9]{3}\/)*[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/;
const CHECKPOINT = /^_tlog\/(?:checkpoint|(?:checkpoints|edges)\/(?:0|[1-9][0-9]{0,15}))$/;
const DOCTOR_PROBE = /^_probe-[^/]+$/;
const NESTED =
  /^(.*?\/)(?:[0-9]{10}\.json|_head\.json|_probe\.json|_(?:segments|index|snapshots|positions|imports|tlog)\/.*)$/s;

/**
 * The kind of a key that begins with the log's root. Every name that can be made again from what it says counts only if that gives the
 * very same key. `in`: the folder of a nested log, with its slash.
 */
export function kindOf(keys: LogKeys, key: string): { readonly kind: KeyKind; readonly in?: string } {
  const kind = ownKind(keys, key);
  if (kind !== null) return { kind };
  const [, folder] = NESTED.exec(key.slice(keys.root.length)) ?? [];
  return folder === undefined || folder.startsWith("_")
    ? { kind: "stranger" }
    : { kind: "nested", in: keys.root + folder };
}

function ownKind(keys: LogKeys, key: string): KeyKind | null {
  const seq = keys.seqOf(key);
  if (seq !== null) return keys.event(seq) === key ? "event" : null;
  if (key === keys.head) return "head";
  if (key === keys.probe) return "probe";
  if (key === keys.policyProbe) return "leftover-probe";
  const segment = keys.segmentOf(key);
  if (segment !== null) return keys.segment(segment.first, segment.last) === key ? "segment" : null;
  for (const kind of ["runs", "directories"] as const) {
    const range = keys.indexRangeOf(kind, key);
    if (range !== null) return keys.indexFile(kind, range) === key ? "index" : null;
  }
  const snapshot = keys.snapshotOf(key);
  if (snapshot !== null)
    return keys.snapshot(snapshot.name, snapshot.version, snapshot.seq) === key ? "snapshot" : null;
  return nameKind(keys, key);
}

/** What is told by its name alone. */
function nameKind(keys: LogKeys, key: string): KeyKind | null {
  const name = key.slice(keys.root.length);
  const position = POSITION.exec(name)?.[1];
  if (position !== undefined) return keys.position(position) === key ? "position" : null;
  if (IMPORT.test(name)) return "import";
  if (CHECKPOINT.test(name) || isTile(name)) return "tlog";
  return DOCTOR_PROBE.test(name) ? "leftover-probe" : null;
}

function isTile(name: string): boolean {
  const [, number = "", width] = TILE.exec(name) ?? [];
  if (number === "") return false;
  // x000/001 is spelled 001.
  return !number.startsWith("x000") && (width === undefined || Number(width) < 256);
}

/** Why a stranger is no event, for names that look as if they were meant to be one; null for all others. */
export function nearlyEvent(keys: LogKeys, key: string): string | null {
  const name = key.slice(keys.root.length);
  if (name.includes("/")) return null;
  const stem = /^(.*)\.json$/i.exec(name)?.[1];
  if (stem === undefined) return null;
  if (/^[0-9]{10}$/.test(stem)) return "its ending is not .json in small letters";
  if (/^[0-9]+$/.test(stem)) return `it has ${String(stem.length)} digits, not ten`;
  if (/^[\p{Nd}]+$/u.test(stem)) return "its digits are not 0 to 9";
  return /^[-+ _]?[\p{Nd}][\p{Nd}_. ]*$/u.test(stem) ? "it is not ten digits alone" : null;
}
