import type { LogKeys } from "../../log/keys.js";
import type { ObjectVersion, ObjectVersions, VersionMarker } from "../../objects/versions.js";
import type { Coverage } from "./coverage.js";
import { finding, type FsckFinding, type FsckVersion } from "./finding.js";

/** All versions of one key, newest first. */
export interface VersionedKey {
  readonly key: string;
  readonly versions: readonly ObjectVersion[];
}

/** Of one key there are kept at most so many of the newest, and the oldest one: whoever rewrites a key a million times is named all the same. */
const MAX_KEPT = 1000;
const MAX_SHOWN = 20;
/** Of the last so many records, no event object is ever pruned. */
const NEVER_PRUNED = 10_000;

/** The event keys beyond `after`, each with its versions, in order. */
export async function* eventVersions(
  versions: ObjectVersions,
  keys: LogKeys,
  after: number,
  signal?: AbortSignal,
): AsyncGenerator<VersionedKey & { readonly seq: number }> {
  let current: { key: string; seq: number; versions: ObjectVersion[] } | null = null;
  let marker: VersionMarker | null = after < 0 ? null : { key: keys.after(after) };
  do {
    const page = await versions.list({ prefix: keys.root, ...(marker && { after: marker }), signal });
    for (const version of page.versions) {
      if (current !== null && version.key !== current.key) {
        yield current;
        current = null;
      }
      const seq = keys.seqOf(version.key);
      if (seq === null) continue;
      current ??= { key: version.key, seq, versions: [] };
      if (current.versions.length > MAX_KEPT) current.versions[MAX_KEPT] = version;
      else current.versions.push(version);
    }
    const last = page.versions.at(-1)?.key ?? "";
    marker = keys.isPastEvents(last) ? null : page.next;
  } while (marker !== null);
  if (current !== null) yield current;
}

/** The first object that was written under a key: under If-None-Match, the record that was committed. Undefined: only markers are left. */
export function original({ versions }: VersionedKey): ObjectVersion | undefined {
  return versions.findLast(({ deleteMarker }) => !deleteMarker);
}

export interface ScannedVersions {
  readonly versions: number;
  /** Delete markers that pruning explains. */
  readonly pruned: number;
}

/** What versions tell of event keys. `end`: the log's last record. */
export async function* scanVersions(
  versions: ObjectVersions,
  keys: LogKeys,
  covered: Coverage,
  end: number,
  { onProgress, signal }: { onProgress?: ((versions: number) => void) | undefined; signal?: AbortSignal | undefined },
): AsyncGenerator<FsckFinding, ScannedVersions> {
  let [count, pruned] = [0, 0];
  for await (const versioned of eventVersions(versions, keys, -1, signal)) {
    count += versioned.versions.length;
    onProgress?.(count);
    const judged = judge(versioned, covered, end);
    if (judged === "pruned") pruned += 1;
    else if (judged !== null) yield judged;
  }
  return { versions: count, pruned };
}

function judge(
  versioned: VersionedKey & { readonly seq: number },
  covered: Coverage,
  end: number,
): FsckFinding | "pruned" | null {
  const { key, seq, versions } = versioned;
  const [newest] = versions;
  if (newest === undefined || (versions.length === 1 && !newest.deleteMarker)) return null;
  const first = original(versioned);
  const details = { seq, versions: shown(versions) };
  const written = versions.filter(({ deleteMarker }) => !deleteMarker);
  const other = written.find(({ etag, size }) => etag !== first?.etag || size !== first.size);
  if (other !== undefined || written.length > 1) {
    const what = other === undefined ? "the same contents again" : "other contents";
    const hidden = newest.deleteMarker ? ", and a delete marker on top" : "";
    return finding(
      other === undefined ? "REWRITTEN" : "REPLACED",
      key,
      `version ${first?.versionId ?? "?"} was written first, and ${what} later, as ${(other ?? written[0] ?? newest).versionId}${hidden}`,
      { ...details, hint: "the first version is what was committed: rynxs verify --oldest-versions reads the log so" },
    );
  }
  if (covered.has(seq) && seq <= end - NEVER_PRUNED) return "pruned";
  return first === undefined
    ? finding("DELETE_MARKER", key, "a delete marker alone is left: what was there is gone", {
        ...details,
        hint: "look for the record in a backup",
      })
    : finding("DELETE_MARKER", key, `a delete marker hides version ${first.versionId}: readers see a gap`, {
        ...details,
        hint: `deleting the marker brings the event back: aws s3api delete-object with --version-id ${newest.versionId}; rynxs verify --oldest-versions reads the log without it`,
      });
}

function shown(versions: readonly ObjectVersion[]): readonly FsckVersion[] {
  const oldestFirst = versions.toReversed().slice(0, MAX_SHOWN);
  return oldestFirst.map(({ versionId, deleteMarker, size, etag, modifiedAt }) => {
    return { versionId, deleteMarker, size, etag, ...(modifiedAt === undefined ? {} : { modifiedAt }) };
  });
}
