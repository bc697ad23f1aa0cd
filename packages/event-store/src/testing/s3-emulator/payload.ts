import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { refusal, type Answer, type S3Request } from "./answer.js";

/** The body as the client means it, with every digest that came along checked; or the refusal that it earns. */
export function verifiedPayload(request: S3Request): Buffer | Answer {
  const declared = request.headers.get("x-amz-content-sha256");
  if (declared === undefined) {
    return refusal(400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256");
  }
  if (declared === "STREAMING-UNSIGNED-PAYLOAD-TRAILER") return chunkedPayload(request);
  if (declared !== "UNSIGNED-PAYLOAD") {
    if (!/^[0-9a-f]{64}$/.test(declared)) {
      return refusal(501, "NotImplemented", `The emulator does not know the payload ${declared}`);
    }
    const actual = createHash("sha256").update(request.body).digest("hex");
    if (actual !== declared) {
      return refusal(
        400,
        "XAmzContentSHA256Mismatch",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
        {
          ClientComputedContentSHA256: declared,
          S3ComputedContentSHA256: actual,
        },
      );
    }
  }
  return checkDigests(request.body, request.headers) ?? request.body;
}

function badDigest(header: string): Answer {
  return refusal(400, "BadDigest", `The ${header} you specified did not match what we received.`);
}

function checkDigests(body: Buffer, headers: ReadonlyMap<string, string>): Answer | null {
  const md5 = headers.get("content-md5");
  if (md5 !== undefined) {
    if (Buffer.from(md5, "base64").length !== 16)
      return refusal(400, "InvalidDigest", "The Content-MD5 you specified was invalid.");
    if (createHash("md5").update(body).digest("base64") !== md5) return badDigest("Content-MD5");
  }
  const sha256 = headers.get("x-amz-checksum-sha256");
  if (sha256 !== undefined && createHash("sha256").update(body).digest("base64") !== sha256)
    return badDigest("x-amz-checksum-sha256");
  const crc = headers.get("x-amz-checksum-crc32");
  if (crc !== undefined && crc32Base64(body) !== crc) return badDigest("x-amz-checksum-crc32");
  return null;
}

function crc32Base64(body: Buffer): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body));
  return bytes.toString("base64");
}

/** `aws-chunked`: chunks of `<hex length>\r\n<bytes>\r\n`, an empty one, then trailing headers that hold a checksum. */
function chunkedPayload(request: S3Request): Buffer | Answer {
  const incomplete = refusal(400, "IncompleteBody", "The request body terminated unexpectedly.");
  const source = request.body;
  const chunks: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = source.indexOf("\r\n", at);
    if (lineEnd < 0) return incomplete;
    const size = /^([0-9a-f]+)(;.*)?$/i.exec(source.toString("latin1", at, lineEnd))?.[1];
    if (size === undefined) return incomplete;
    at = lineEnd + 2;
    const length = Number.parseInt(size, 16);
    if (length === 0) break;
    if (source.toString("latin1", at + length, at + length + 2) !== "\r\n") return incomplete;
    chunks.push(source.subarray(at, at + length));
    at += length + 2;
  }
  const body = Buffer.concat(chunks);
  if (request.headers.get("x-amz-decoded-content-length") !== String(body.length)) return incomplete;
  const trailers = new Map<string, string>();
  for (const line of source.toString("latin1", at).split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) trailers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  const announced = request.headers.get("x-amz-trailer");
  if (announced !== undefined && !trailers.has(announced)) return incomplete;
  return checkDigests(body, new Map([...request.headers, ...trailers])) ?? body;
}
