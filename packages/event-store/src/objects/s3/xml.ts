import type { ListEntry } from "../port.js";
import { decodeListed } from "./uri.js";
import { scan } from "./xml-scan.js";

/* The documents that S3 answers a log's requests with. One that cannot be read is `null`, never a throw. */

const MAX_LIST_BYTES = 16 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;

export interface ErrorDocument {
  readonly code: string;
  readonly message?: string;
  /** Where the bucket is, when the error is about that. */
  readonly region?: string;
  /** The server's clock, when the error is about that. */
  readonly serverTime?: string;
  /** Of the object, when the error is about that. */
  readonly storageClass?: string;
}

export interface ListDocument {
  readonly entries: readonly ListEntry[];
  readonly truncated: boolean;
}

export function parseError(body: Buffer): ErrorDocument | null {
  if (body.length === 0 || body.length > MAX_ERROR_BYTES) return null;
  const found = new Map<string, string>();
  let root = "";
  const whole = scan(body.toString("utf8"), (path, text) => {
    root = path[0] ?? "";
    if (path.length === 2) found.set(path[1] ?? "", text.trim());
  });
  const code = found.get("Code");
  if (!whole || root !== "Error" || code === undefined || code === "") return null;
  const optional = (name: string): string | undefined => found.get(name) ?? undefined;
  const [message, region, serverTime] = [optional("Message"), optional("Region"), optional("ServerTime")];
  const storageClass = optional("StorageClass");
  return {
    code,
    ...(message === undefined ? {} : { message }),
    ...(region === undefined ? {} : { region }),
    ...(serverTime === undefined ? {} : { serverTime }),
    ...(storageClass === undefined ? {} : { storageClass }),
  };
}

export function parseList(body: Buffer): ListDocument | null {
  if (body.length > MAX_LIST_BYTES) return null;
  const raw: RawEntry[] = [];
  let root = "";
  let truncated: string | undefined;
  let encoding: string | undefined;
  let entry: RawEntry = {};
  const whole = scan(body.toString("utf8"), (path, text) => {
    root = path[0] ?? "";
    const name = path[1];
    if (path.length === 3 && name === "Contents") {
      const field = FIELDS[path[2] ?? ""];
      if (field !== undefined) entry[field] = text;
    } else if (path.length === 2 && name === "Contents") {
      raw.push(entry);
      entry = {};
    } else if (path.length === 2 && name === "IsTruncated") truncated = text.trim();
    else if (path.length === 2 && name === "EncodingType") encoding = text.trim();
  });
  if (!whole || root !== "ListBucketResult" || (truncated !== "true" && truncated !== "false")) return null;
  const entries = raw.map((each) => listEntry(each, encoding));
  return entries.every((each) => each !== null) ? { entries, truncated: truncated === "true" } : null;
}

/** A listed object as a server, or its client library, gave it. */
export interface RawEntry {
  key?: string | undefined;
  size?: string | undefined;
  lastModified?: string | undefined;
  storageClass?: string | undefined;
}

const FIELDS: Readonly<Record<string, keyof RawEntry>> = {
  Key: "key",
  Size: "size",
  LastModified: "lastModified",
  StorageClass: "storageClass",
};

/** Null when it is not well-formed. A time that cannot be read is left out. */
export function listEntry(
  { key, size, lastModified, storageClass }: RawEntry,
  encoding: string | undefined,
): ListEntry | null {
  if (key === undefined || size === undefined || !/^\d{1,15}$/.test(size)) return null;
  const decoded = encoding === "url" ? decodeListed(key) : key;
  if (decoded === null) return null;
  const modifiedAt = lastModified === undefined ? Number.NaN : Date.parse(lastModified);
  return {
    key: decoded,
    size: Number(size),
    ...(Number.isNaN(modifiedAt) ? {} : { modifiedAt }),
    ...(storageClass === undefined || storageClass === "" ? {} : { storageClass }),
  };
}
