import type { ObjectMap } from "../../objects/object-map.js";
import { refusal, xmlAnswer, type Answer, type S3Request } from "./answer.js";
import { element, elements, xmlDocument } from "./xml.js";

const MAX_KEYS = 1000;

/** ListObjectsV2, without delimiters. */
export function listObjects(bucket: ObjectMap, { bucket: name, query }: S3Request): Answer {
  if (query.get("list-type") !== "2") return refusal(501, "NotImplemented", "The emulator lists with list-type=2 only");
  if ((query.get("delimiter") ?? "") !== "")
    return refusal(501, "NotImplemented", "The emulator lists without delimiters only");
  const encoding = query.get("encoding-type");
  if (encoding !== null && encoding !== "url")
    return refusal(400, "InvalidArgument", "Invalid Encoding Method specified in Request");
  const asked = query.get("max-keys") ?? String(MAX_KEYS);
  if (!/^\d{1,9}$/.test(asked))
    return refusal(400, "InvalidArgument", "max-keys must be an integer between 0 and 2147483647");
  const token = query.get("continuation-token");
  const after = token === null ? (query.get("start-after") ?? "") : readToken(token);
  if (after === null) return refusal(400, "InvalidArgument", "The continuation token provided is incorrect");

  const prefix = query.get("prefix") ?? "";
  const limit = Math.min(Number(asked), MAX_KEYS);
  const { keys, truncated } = limit === 0 ? { keys: [], truncated: false } : bucket.page(prefix, after, limit);
  const encode = encoding === "url" ? urlEncode : (text: string): string => text;
  const last = keys.at(-1);
  const contents = keys.map((key) => {
    const held = bucket.get(key);
    return element(
      "Contents",
      elements(
        element("Key", encode(key)),
        element("LastModified", new Date(held?.modifiedAt ?? 0).toISOString()),
        element("ETag", held?.etag ?? ""),
        element("Size", held?.body.length ?? 0),
        element("StorageClass", held?.storageClass ?? "STANDARD"),
      ),
    );
  });
  return xmlAnswer(
    200,
    xmlDocument(
      "ListBucketResult",
      element("Name", name),
      element("Prefix", encode(prefix)),
      ...(query.has("start-after") ? [element("StartAfter", encode(query.get("start-after") ?? ""))] : []),
      ...(token === null ? [] : [element("ContinuationToken", token)]),
      ...(truncated && last !== undefined ? [element("NextContinuationToken", writeToken(last))] : []),
      element("KeyCount", keys.length),
      element("MaxKeys", limit),
      ...(encoding === "url" ? [element("EncodingType", encoding)] : []),
      element("IsTruncated", truncated),
      ...contents,
    ),
  );
}

/** As AWS has it: a space is a plus. */
function urlEncode(text: string): string {
  return encodeURIComponent(text).replaceAll("%2F", "/").replaceAll("%20", "+");
}

const TOKEN = "after:";

function writeToken(key: string): string {
  return Buffer.from(TOKEN + key).toString("base64url");
}

function readToken(token: string): string | null {
  const text = Buffer.from(token, "base64url").toString();
  return text.startsWith(TOKEN) ? text.slice(TOKEN.length) : null;
}
