import type { ListEntry } from "../port.js";
import { decodeListed } from "./uri.js";

/*
 * The two documents that S3 answers with. The reader knows elements, text, CDATA and the five entities; what it does not
 * know (a DOCTYPE, a foreign entity, tags that do not match) makes the document unreadable, which is `null`, never a throw.
 */

const MAX_LIST_BYTES = 16 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;
const MAX_DEPTH = 16;

export interface ErrorDocument {
  readonly code: string;
  readonly message?: string;
  /** Where the bucket is, when the error is about that. */
  readonly region?: string;
  /** The server's clock, when the error is about that. */
  readonly serverTime?: string;
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
  return {
    code,
    ...(message === undefined ? {} : { message }),
    ...(region === undefined ? {} : { region }),
    ...(serverTime === undefined ? {} : { serverTime }),
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

/** Calls `onEnd` at the end of each element with the names from the root down to it and its own text. False: not well-formed. */
function scan(xml: string, onEnd: (path: readonly string[], text: string) => void): boolean {
  const path: string[] = [];
  let text = "";
  let roots = 0;
  let at = 0;
  while (at < xml.length) {
    const open = xml.indexOf("<", at);
    const piece = decodeEntities(xml.slice(at, open === -1 ? undefined : open));
    if (piece === null) return false;
    text += piece;
    if (open === -1) break;

    if (xml.startsWith("<![CDATA[", open)) {
      const end = xml.indexOf("]]>", open);
      if (end === -1) return false;
      text += xml.slice(open + 9, end);
      at = end + 3;
      continue;
    }
    const [opener, closer] = xml.startsWith("<!--", open)
      ? ["<!--", "-->"]
      : xml.startsWith("<?", open)
        ? ["<?", "?>"]
        : ["<", ">"];
    const end = xml.indexOf(closer, open + opener.length);
    if (end === -1) return false;
    at = end + closer.length;
    if (opener !== "<") continue;

    const tag = /^(\/?)(?:[\w.-]+:)?([\w.-]+)(?:\s[^<]*?)?(\/?)$/.exec(xml.slice(open + 1, end));
    if (tag === null) return false;
    const [, slash, name = "", selfClosing] = tag;
    if (slash === "") {
      if (path.length === 0 && roots++ > 0) return false;
      if (path.push(name) > MAX_DEPTH) return false;
      text = "";
    }
    if (slash === "/" || selfClosing === "/") {
      if (path.at(-1) !== name) return false;
      onEnd(path, text);
      path.pop();
      text = "";
    }
  }
  return path.length === 0 && roots === 1;
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function decodeEntities(text: string): string | null {
  if (!text.includes("&")) return text;
  const parts = text.split(/&([^&;]{0,10});/);
  for (let i = 1; i < parts.length; i += 2) {
    const value = entity(parts[i] ?? "");
    if (value === undefined) return null;
    parts[i] = value;
  }
  return parts.some((part, i) => i % 2 === 0 && part.includes("&")) ? null : parts.join("");
}

function entity(name: string): string | undefined {
  const number = /^#(?:x([0-9a-f]{1,6})|(\d{1,7}))$/i.exec(name);
  if (number === null) return ENTITIES[name];
  const point = number[1] === undefined ? Number(number[2]) : Number.parseInt(number[1], 16);
  return point <= 0x10ffff ? String.fromCodePoint(point) : undefined;
}
