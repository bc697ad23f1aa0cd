import type { IncomingHttpHeaders } from "node:http";
import type { Refusal } from "./classify.js";
import type { S3Credentials } from "./credentials.js";
import type { HttpAnswer } from "./http.js";
import { parseError } from "./xml.js";

export interface AnswerFacts extends Refusal {
  readonly serverTime?: string | undefined;
}

/** What an answer other than success says. A server that echoes our secrets is not repeated. */
export function answerFacts(
  { status, headers, body }: HttpAnswer,
  now: number,
  credentials: S3Credentials,
): AnswerFacts {
  const document = parseError(body);
  return {
    status,
    code: document?.code,
    message: withoutSecrets(document?.message, credentials),
    region: single(headers["x-amz-bucket-region"]) ?? document?.region,
    retryAfterMs: retryAfterMs(headers, now),
    serverTime: document?.serverTime,
    storageClass: single(headers["x-amz-storage-class"]) ?? document?.storageClass,
  };
}

export function withoutSecrets(
  message: string | undefined,
  { secretAccessKey, sessionToken = "" }: S3Credentials,
): string | undefined {
  return [secretAccessKey, sessionToken].reduce(
    (text, secret) => (secret === "" ? text : text?.replaceAll(secret, "…")),
    message,
  );
}

/** `Retry-After` in milliseconds: seconds, or a date, which is read by the server's own clock when the answer has one. */
export function retryAfterMs(headers: IncomingHttpHeaders, now: number): number | undefined {
  const text = single(headers["retry-after"])?.trim();
  if (text === undefined || text === "") return undefined;
  if (/^\d{1,9}(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const until = Date.parse(text);
  if (Number.isNaN(until)) return undefined;
  const serverNow = Date.parse(headers.date ?? "");
  return Math.max(0, until - (Number.isNaN(serverNow) ? now : serverNow));
}

function single(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}
