import { checkKey } from "../check.js";
import type { StoredObject } from "../port.js";
import type { ObjectVersion, ObjectVersions, VersionMarker, VersionPage } from "../versions.js";
import { failure } from "./attempt.js";
import { attemptOn, bucketPath, objectPath } from "./bucket-requests.js";
import type { BucketLocation } from "./endpoint.js";
import { metadataOf } from "./lean-transport.js";
import { documentOf, type UpkeepClient } from "./upkeep.js";
import { decodeListed, encodeComponent } from "./uri.js";
import { scan } from "./xml-scan.js";

const PAGE = 1000;

/** `GET` of a bucket with `?versions`, and of objects with `?versionId`. */
export class S3Versions implements ObjectVersions {
  readonly #location: BucketLocation;
  readonly #client: UpkeepClient;

  constructor(location: BucketLocation, client: UpkeepClient) {
    this.#location = location;
    this.#client = client;
  }

  async list({ prefix, after, signal }: Parameters<ObjectVersions["list"]>[0]): Promise<VersionPage> {
    const attempt = attemptOn(this.#location, "LIST_VERSIONS");
    // In the order of their names, as the signature wants them.
    const query = [
      "encoding-type=url",
      ...(after === undefined ? [] : [`key-marker=${encodeComponent(after.key)}`]),
      `max-keys=${String(PAGE)}`,
      `prefix=${encodeComponent(prefix)}`,
      ...(after?.versionId === undefined ? [] : [`version-id-marker=${encodeComponent(after.versionId)}`]),
      "versions=",
    ].join("&");
    const path = bucketPath(this.#location);
    const answer = await this.#client.send({ attempt, method: "GET", path, query, headers: [] }, signal);
    const page = parseVersions(documentOf(answer, attempt));
    // Ceph's gateway begins with the key itself where AWS begins behind it.
    const skipped = after?.versionId === undefined ? after?.key : undefined;
    if (page !== null) return { ...page, versions: page.versions.filter(({ key }) => key !== skipped) };
    throw failure("REQUEST_REFUSED", attempt, "the server does not list versions of objects", {
      status: answer?.status,
      hint: "this server has no versioning: look at the log with rynxs fsck without --versions",
    });
  }

  async get(
    key: string,
    versionId: string,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<StoredObject | null> {
    checkKey(key);
    const attempt = attemptOn(this.#location, "GET", key);
    const path = objectPath(this.#location, key);
    const query = `versionId=${encodeComponent(versionId)}`;
    const answer = await this.#client.send(
      { attempt, method: "GET", path, query, headers: [] },
      signal,
      "NoSuchVersion",
      "MethodNotAllowed",
    );
    if (answer === null || typeof answer === "string") return null;
    const { headers, body } = answer;
    return { body, etag: headers.etag ?? "", metadata: metadataOf(headers), contentType: headers["content-type"] };
  }
}

type Fields = Partial<Record<string, string>>;

/** Null: it is another document, or one that cannot be read. */
export function parseVersions(xml: string): VersionPage | null {
  const versions: (ObjectVersion | null)[] = [];
  const about: Fields = {};
  let root = "";
  let fields: Fields = {};
  const raw: { readonly fields: Fields; readonly deleteMarker: boolean }[] = [];
  const whole = scan(xml, (path, text) => {
    root = path[0] ?? "";
    const name = path[1] ?? "";
    const inEntry = name === "Version" || name === "DeleteMarker";
    if (path.length === 3 && inEntry) fields[path[2] ?? ""] = text;
    else if (path.length === 2 && inEntry) {
      raw.push({ fields, deleteMarker: name === "DeleteMarker" });
      fields = {};
    } else if (path.length === 2) about[name] = text;
  });
  const truncated = about["IsTruncated"]?.trim();
  if (!whole || root !== "ListVersionsResult" || (truncated !== "true" && truncated !== "false")) return null;
  const decode = (text: string): string | null => (about["EncodingType"]?.trim() === "url" ? decodeListed(text) : text);
  for (const entry of raw) versions.push(versionOf(entry.fields, entry.deleteMarker, decode));
  const good = versions.filter((version) => version !== null);
  if (good.length < versions.length) return null;
  if (truncated === "false") return { versions: good, next: null };
  const next = markerOf(about, decode);
  return next === null ? null : { versions: good, next };
}

function markerOf(
  { NextKeyMarker: key, NextVersionIdMarker: versionId }: Fields,
  decode: (text: string) => string | null,
): VersionMarker | null {
  const decoded = key === undefined || key === "" ? null : decode(key);
  if (decoded === null) return null;
  return versionId === undefined || versionId === "" ? { key: decoded } : { key: decoded, versionId };
}

function versionOf(
  { Key: key, VersionId: versionId, IsLatest: latest, Size: size = "0", ETag: etag = "", LastModified }: Fields,
  deleteMarker: boolean,
  decode: (text: string) => string | null,
): ObjectVersion | null {
  const decoded = key === undefined ? null : decode(key);
  if (decoded === null || versionId === undefined || versionId === "" || !/^\d{1,15}$/.test(size)) return null;
  const modifiedAt = Date.parse(LastModified ?? "");
  return {
    key: decoded,
    versionId,
    latest: latest?.trim() === "true",
    deleteMarker,
    size: Number(size),
    etag,
    ...(Number.isNaN(modifiedAt) ? {} : { modifiedAt }),
  };
}
