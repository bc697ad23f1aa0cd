import { compareCodePoints } from "../../core/json/strings.js";
import type { Retention } from "../../objects/locks.js";
import type { HeldObject, ObjectMap } from "../../objects/object-map.js";
import { answer, refusal, xmlAnswer, type Answer, type S3Request } from "./answer.js";
import { element, elements, xmlDocument, type Markup } from "./xml.js";

/** A version of a key; `held: null`: a delete marker. */
export interface Version {
  readonly versionId: string;
  readonly held: HeldObject | null;
  readonly modifiedAt: number;
  readonly retention?: Retention | undefined;
  readonly legalHold: boolean;
}

const UNVERSIONED = "null";
const MAX_KEYS = 1000;

/** What versioning keeps of a bucket beside its current objects, which the `ObjectMap` holds: its tests tamper with those. */
export class VersionHistory {
  readonly #bucket: ObjectMap;
  /** Newest first. */
  readonly #versions = new Map<string, Version[]>();
  #count = 0;

  constructor(bucket: ObjectMap) {
    this.#bucket = bucket;
  }

  /** Newest first. What was put into, or taken out of, the bucket from outside is taken up without a version. */
  of(key: string): readonly Version[] {
    const current = this.#bucket.get(key);
    const versions = this.#versions.get(key) ?? [];
    const [top] = versions;
    if (current === undefined) {
      if (top !== undefined && top.held !== null) this.#versions.delete(key);
    } else if (top === undefined) {
      this.#versions.set(key, [{ ...unlocked(UNVERSIONED, current.modifiedAt), held: current }]);
    } else if (top.held !== current) {
      this.#versions.set(key, [{ ...top, held: current }, ...versions.slice(1)]);
    }
    return this.#versions.get(key) ?? [];
  }

  version(key: string, versionId: string): Version | undefined {
    return this.of(key).find((each) => each.versionId === versionId);
  }

  /** The bucket's current object of a key was just written: it becomes a version above `before`. */
  written(key: string, before: readonly Version[], lock: Retention | undefined, now: number): string {
    const held = this.#bucket.get(key);
    if (held === undefined) throw new Error(`${key} was not written`);
    const version = { ...unlocked(this.#nextId(), now), held, retention: lock };
    this.#versions.set(key, [version, ...before]);
    return version.versionId;
  }

  /** As a DELETE without a version does. */
  mark(key: string, now: number): string {
    const before = this.of(key);
    this.#bucket.delete(key);
    const marker = { ...unlocked(this.#nextId(), now), held: null };
    this.#versions.set(key, [marker, ...before]);
    return marker.versionId;
  }

  /** As a DELETE of a version does: the one below it becomes the current one. */
  remove(key: string, versionId: string): void {
    const left = this.of(key).filter((each) => each.versionId !== versionId);
    if (left.length === 0) this.#versions.delete(key);
    else this.#versions.set(key, left);
    const held = left[0]?.held;
    if (held === undefined || held === null) {
      this.#bucket.delete(key);
      return;
    }
    const { metadata, contentType, modifiedAt, storageClass } = held;
    const put = this.#bucket.put(key, held.body, { metadata, contentType, modifiedAt, storageClass });
    this.#versions.set(key, [{ ...(left[0] as Version), held: put }, ...left.slice(1)]);
  }

  change(key: string, versionId: string, facts: Partial<Pick<Version, "legalHold" | "retention">>): void {
    const changed = this.of(key).map((each) => (each.versionId === versionId ? { ...each, ...facts } : each));
    this.#versions.set(key, changed);
  }

  /** All keys that have a version, in order. */
  keys(prefix: string): string[] {
    const keys = new Set([...this.#versions.keys(), ...this.#bucket.keys()]);
    return [...keys].filter((key) => key.startsWith(prefix) && this.of(key).length > 0).sort(compareCodePoints);
  }

  #nextId(): string {
    this.#count += 1;
    return `emulated-${String(this.#count).padStart(6, "0")}`;
  }
}

function unlocked(versionId: string, modifiedAt: number): Omit<Version, "held"> {
  return { versionId, modifiedAt, legalHold: false };
}

/** GET of a bucket with `?versions`. */
export function listVersions(history: VersionHistory, { bucket: name, query }: S3Request): Answer {
  const prefix = query.get("prefix") ?? "";
  const limit = Math.min(Number(query.get("max-keys") ?? MAX_KEYS), MAX_KEYS);
  const afterKey = query.get("key-marker") ?? "";
  const afterVersion = query.get("version-id-marker");
  const encode = query.get("encoding-type") === "url" ? urlEncode : (text: string): string => text;
  const found: Markup[] = [];
  let last: { key: string; versionId: string } | undefined;
  let truncated = false;
  for (const key of history.keys(prefix)) {
    const order = afterKey === "" ? 1 : compareCodePoints(key, afterKey);
    if (order < 0 || (order === 0 && afterVersion === null)) continue;
    const versions = history.of(key);
    const from = order === 0 ? versions.findIndex(({ versionId }) => versionId === afterVersion) + 1 : 0;
    for (const [i, version] of versions.entries()) {
      if (i < from) continue;
      truncated = found.length >= limit;
      if (truncated) break;
      found.push(versionElement(encode(key), version, i === 0));
      last = { key, versionId: version.versionId };
    }
    if (truncated) break;
  }
  const next =
    truncated && last !== undefined
      ? [element("NextKeyMarker", encode(last.key)), element("NextVersionIdMarker", last.versionId)]
      : [];
  return xmlAnswer(
    200,
    xmlDocument(
      "ListVersionsResult",
      element("Name", name),
      element("Prefix", encode(prefix)),
      element("MaxKeys", limit),
      ...(query.has("encoding-type") ? [element("EncodingType", "url")] : []),
      element("IsTruncated", truncated),
      ...next,
      ...found,
    ),
  );
}

function versionElement(key: string, { versionId, held, modifiedAt }: Version, latest: boolean): Markup {
  const common = [
    element("Key", key),
    element("VersionId", versionId),
    element("IsLatest", latest),
    element("LastModified", new Date(modifiedAt).toISOString()),
  ];
  if (held === null) return element("DeleteMarker", elements(...common));
  return element("Version", elements(...common, element("ETag", held.etag), element("Size", held.body.length)));
}

function urlEncode(text: string): string {
  return encodeURIComponent(text).replaceAll("%2F", "/").replaceAll("%20", "+");
}

/** DELETE of a key, or of one of its versions. */
export function deleteVersion(history: VersionHistory, request: S3Request, now: number): Answer {
  const { key, query, headers } = request;
  const versionId = query.get("versionId");
  if (versionId === null)
    return answer(204, { "x-amz-delete-marker": "true", "x-amz-version-id": history.mark(key, now) });
  const version = history.version(key, versionId);
  if (version === undefined) return answer(204);
  const { retention, legalHold, held } = version;
  const bypassed = retention?.mode === "GOVERNANCE" && headers.get("x-amz-bypass-governance-retention") === "true";
  if (legalHold || (retention !== undefined && retention.until > now && !bypassed))
    return refusal(403, "AccessDenied", "Access Denied because object protected by object lock.");
  history.remove(key, versionId);
  return answer(204, { "x-amz-version-id": versionId, ...(held === null && { "x-amz-delete-marker": "true" }) });
}
