import type { GetOptions, ListPage, PutFence, PutOptions, StoredObject } from "../port.js";
import type { Attempt, Trouble } from "./attempt.js";
import type { Verdict } from "./classify.js";

/**
 * Single S3 requests, each sent once, with every failure as a value: what the two drivers differ in. `S3Objects` makes an
 * ObjectStore of it. (A request that was refused for its date or for expired credentials, and so certainly did nothing,
 * may be sent once more.)
 */
export interface S3Transport {
  readonly clockSkewMs: number | undefined;
  readonly fence: PutFence;
  /** The new ETag. `options.notAfter` is compared with what each send is signed with. */
  put(key: string, body: Uint8Array, condition: Condition, options: PutOptions): Promise<Reply<string>>;
  get(key: string, range: GetOptions["range"], signal: AbortSignal | undefined): Promise<Reply<GotObject>>;
  /** As `get`, with an empty body. */
  head(key: string, signal: AbortSignal | undefined): Promise<Reply<GotObject>>;
  list(query: ListQuery, signal: AbortSignal | undefined): Promise<Reply<ListPage>>;
  delete(key: string, signal: AbortSignal | undefined): Promise<Reply<null>>;
  /** How errors speak of an operation. */
  attempt(operation: Attempt["operation"], key?: string): Attempt;
  close(): Promise<void>;
}

/** `aborted`: by the caller's signal. */
export type Settled<T> =
  | { readonly kind: "ok"; readonly value: T }
  | Exclude<Verdict, Trouble>
  | { readonly kind: "aborted"; readonly sent: boolean };

export type Reply<T> = Settled<T> | Trouble;

/** `etag`: as it is to be written into If-Match. */
export type Condition = { readonly header: "if-none-match" } | { readonly header: "if-match"; readonly etag: string };

export interface GotObject {
  readonly object: StoredObject;
  /** The server cut the range out. */
  readonly partial: boolean;
}

export interface ListQuery {
  readonly prefix: string;
  readonly startAfter: string;
  readonly maxKeys: number;
}

/** `bytes=0-9`: in HTTP a range includes its end. */
export function rangeHeader({ start, end }: NonNullable<GetOptions["range"]>): string {
  return `bytes=${String(start)}-${Number.isSafeInteger(end) ? String(end - 1) : ""}`;
}
