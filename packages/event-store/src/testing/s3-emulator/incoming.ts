import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { refusal, type Answer, type S3Request } from "./answer.js";

/** Reads a request to its end. Null when the client went away before that: then nothing was asked. */
export async function readRequest(message: IncomingMessage, buckets: ReadonlySet<string>): Promise<S3Request | null> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of message) chunks.push(chunk as Buffer);
  } catch {
    return null;
  }
  if (!message.complete) return null;
  const headers = new Map<string, string>();
  for (const [name, values] of Object.entries(message.headersDistinct)) headers.set(name, (values ?? []).join(","));
  const url = message.url ?? "/";
  const mark = url.indexOf("?");
  const rawPath = mark < 0 ? url : url.slice(0, mark);
  const rawQuery = mark < 0 ? "" : url.slice(mark + 1);
  return {
    method: message.method ?? "GET",
    rawPath,
    rawQuery,
    query: new URLSearchParams(rawQuery),
    headers,
    body: Buffer.concat(chunks),
    ...address(headers.get("host") ?? "", rawPath, buckets),
  };
}

/** Bucket and key, by the path or by the name of the host. */
function address(host: string, rawPath: string, buckets: ReadonlySet<string>): { bucket: string; key: string } {
  const path = decode(rawPath.slice(1));
  const virtual = bucketOfHost(host.replace(/:\d+$/, ""), buckets);
  if (virtual !== null) return { bucket: virtual, key: path };
  const slash = path.indexOf("/");
  return slash < 0 ? { bucket: path, key: "" } : { bucket: path.slice(0, slash), key: path.slice(slash + 1) };
}

/** `bucket.localhost`, `bucket.s3.region.amazonaws.com`, or a bucket that is there in front of any other name. */
function bucketOfHost(name: string, buckets: ReadonlySet<string>): string | null {
  if (isIP(name.replace(/^\[(.*)\]$/, "$1")) !== 0) return null;
  const known = /^(.+)\.(localhost|s3[.-][a-z0-9.-]*amazonaws\.com(\.cn)?)$/.exec(name)?.[1];
  return known ?? [...buckets].find((bucket) => name.startsWith(`${bucket}.`)) ?? null;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A put or post must say how long its body is, and keep the promise. */
export function checkLength({ method, headers }: S3Request): Answer | null {
  if (
    (method !== "PUT" && method !== "POST") ||
    headers.has("content-length") ||
    headers.has("x-amz-decoded-content-length")
  )
    return null;
  return refusal(411, "MissingContentLength", "You must provide the Content-Length HTTP header.");
}
