import { errorDocument } from "./xml.js";

/** A request, its body read and its address taken apart. Nothing is verified yet. */
export interface S3Request {
  readonly method: string;
  /** As it came: still escaped, without the query. */
  readonly rawPath: string;
  /** As it came: still escaped, without the question mark. */
  readonly rawQuery: string;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  /** Empty for a request that names none. */
  readonly bucket: string;
  /** Empty for a request about the bucket. */
  readonly key: string;
}

/** What the server answers, or would answer if nothing went wrong on the way. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export function answer(status: number, headers: Record<string, string> = {}, body: Buffer | string = ""): Answer {
  return { status, headers, body: Buffer.from(body) };
}

export function xmlAnswer(status: number, document: string, headers: Record<string, string> = {}): Answer {
  return answer(status, { "content-type": "application/xml", ...headers }, document);
}

/** A refusal, in S3's words. `detail` holds further elements of the error document. */
export function refusal(
  status: number,
  code: string,
  message: string,
  detail: Readonly<Record<string, string>> = {},
  headers: Record<string, string> = {},
): Answer {
  return xmlAnswer(status, errorDocument(code, message, detail), headers);
}
