import type { HeldObject, ObjectMap } from "../../objects/object-map.js";
import { answer, refusal, type Answer, type S3Request } from "./answer.js";
import { classHeaders, refuseArchived } from "./archive.js";

/** Ways in which real servers differ from AWS. */
export interface Quirks {
  /** Puts with `If-None-Match` overwrite, as on backends that do not know the header. */
  readonly ignoreIfNoneMatch?: boolean | undefined;
  readonly ignoreIfMatch?: boolean | undefined;
  /** `If-Match` is compared literally with the ETag without its quotes, and misses with 412, as on Ceph's gateway. */
  readonly bareEtags?: boolean | undefined;
  /** Bucket policies know no `s3:if-none-match`, as on Ceph's gateway: no request ever has it. */
  readonly ignorePolicyConditions?: boolean | undefined;
  /** Policies are told that requests came over TLS, as behind a proxy that speaks it. */
  readonly behindTls?: boolean | undefined;
}

const META = "x-amz-meta-";
const MAX_KEY_BYTES = 1024;

export function putObject(bucket: ObjectMap, request: S3Request, body: Buffer, quirks: Quirks, now: number): Answer {
  const { key, headers } = request;
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) return refusal(400, "KeyTooLongError", "Your key is too long");
  const refused = unmetCondition(bucket.get(key), headers, quirks);
  if (refused !== null) return refused;
  const metadata: Record<string, string> = {};
  for (const [name, value] of headers) if (name.startsWith(META)) metadata[name.slice(META.length)] = value;
  const contentType = headers.get("content-type") ?? "binary/octet-stream";
  const storageClass = headers.get("x-amz-storage-class");
  return answer(200, { etag: bucket.put(key, body, { metadata, contentType, modifiedAt: now, storageClass }).etag });
}

function unmetCondition(
  held: HeldObject | undefined,
  headers: ReadonlyMap<string, string>,
  quirks: Quirks,
): Answer | null {
  const ifNoneMatch = headers.get("if-none-match");
  const ifMatch = headers.get("if-match");
  if (ifNoneMatch !== undefined && !(quirks.ignoreIfNoneMatch ?? false)) {
    if (ifNoneMatch !== "*") return refusal(501, "NotImplemented", "If-None-Match of a put can only be *");
    if (held !== undefined) return preconditionFailed("If-None-Match");
  }
  if (ifMatch !== undefined && !(quirks.ignoreIfMatch ?? false)) {
    const bare = quirks.bareEtags ?? false;
    if (held === undefined) return bare ? preconditionFailed("If-Match") : noSuchKey();
    if (ifMatch !== (bare ? held.etag.slice(1, -1) : held.etag)) return preconditionFailed("If-Match");
  }
  return null;
}

function preconditionFailed(condition: string): Answer {
  const message = "At least one of the pre-conditions you specified did not hold";
  return refusal(412, "PreconditionFailed", message, { Condition: condition });
}

function noSuchKey(key?: string): Answer {
  return refusal(404, "NoSuchKey", "The specified key does not exist.", key === undefined ? {} : { Key: key });
}

export function getObject(held: HeldObject | undefined, request: S3Request, now: number): Answer {
  if (held === undefined) return noSuchKey(request.key);
  const archived = request.method === "GET" ? refuseArchived(held, now) : null;
  if (archived !== null) return archived;
  const headers: Record<string, string> = {
    etag: held.etag,
    "content-type": held.contentType,
    "last-modified": new Date(held.modifiedAt).toUTCString(),
    "accept-ranges": "bytes",
    ...classHeaders(held),
  };
  for (const [name, value] of Object.entries(held.metadata)) headers[META + name] = value;
  const asked = /^bytes=(\d*)-(\d*)$/.exec(request.headers.get("range") ?? "");
  if (asked === null || (asked[1] === "" && asked[2] === "")) return answer(200, headers, held.body);

  const total = held.body.length;
  const [, from = "", to = ""] = asked;
  const start = from === "" ? Math.max(0, total - Number(to)) : Number(from);
  const end = from === "" || to === "" ? total : Math.min(total, Number(to) + 1);
  if (start >= total) {
    const detail = { RangeRequested: request.headers.get("range") ?? "", ActualObjectSize: String(total) };
    return refusal(416, "InvalidRange", "The requested range is not satisfiable", detail, {
      "content-range": `bytes */${String(total)}`,
    });
  }
  if (end <= start) return answer(200, headers, held.body);
  headers["content-range"] = `bytes ${String(start)}-${String(end - 1)}/${String(total)}`;
  return answer(206, headers, held.body.subarray(start, end));
}

export function deleteObject(bucket: ObjectMap, request: S3Request): Answer {
  bucket.delete(request.key);
  return answer(204);
}
