import type { BackendError } from "../core/errors.js";
import type { Retention } from "./locks.js";

/**
 * What a log needs of an object store. Keys are any non-empty Unicode string (at most 1024 UTF-8 bytes); bodies are opaque.
 *
 * Failure contract of every method: a definite refusal (no such bucket, access denied, bad request) throws a
 * `BackendError` with the bucket, key, operation, status and a hint. Passing trouble (5xx, 429, connection errors,
 * time-outs) is retried inside `get`, `list` and `delete`, with back-off, and after the driver's deadline throws
 * `UNAVAILABLE`. Conditional writes are never retried inside: their caller must see each uncertain answer.
 * An aborted signal throws `ABORTED` from `get`, `list` and `delete`.
 */
export interface ObjectStore {
  /** Names the backend and bucket (or directory) for people and as a cache key; no secrets. */
  readonly identity: string;

  /** Server's clock minus ours in milliseconds, as last seen; undefined while unknown or when there is no server. */
  readonly clockSkewMs?: number | undefined;

  /** What bounds how late a put can be stored. Undefined when nothing does: then no key may be deleted that a put may have to be refused by. */
  readonly fence?: PutFence | undefined;

  /**
   * Creates `key` unless it exists (`PUT` with `If-None-Match: *`). Durable once `stored` is answered.
   * One attempt: what cannot be known is answered `unknown`, and the caller decides. An aborted signal gives `unknown`,
   * unless nothing was sent.
   */
  putIfAbsent(key: string, body: Uint8Array, options?: PutOptions): Promise<PutOutcome>;

  /**
   * Replaces `key` if its ETag is still `etag` (as `get` returned it). `exists` means: changed or deleted meanwhile,
   * nothing was written. One attempt, as above.
   */
  replaceIfMatch(key: string, body: Uint8Array, etag: string, options?: PutOptions): Promise<PutOutcome>;

  /** The object, or null when there is none. `range` is in bytes, end exclusive; beyond the end is cut off. */
  get(key: string, options?: GetOptions): Promise<StoredObject | null>;

  /**
   * One page of keys that begin with `prefix`, after `startAfter`, in ascending order of their UTF-8 bytes. Strongly
   * consistent: every put acknowledged before the call is seen.
   */
  list(options: ListOptions): Promise<ListPage>;

  /** Deletes `key`; a missing key is no error. */
  delete(key: string, options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;

  /** Ends idle connections. Calls under way fail. */
  close(): Promise<void>;
}

export interface PutFence {
  /** The clock that requests are signed with, Unix milliseconds. */
  now(): number;
  /** A put is stored at most so many milliseconds after the reading of `now` that it was sent with, by the backend's clock, or never. */
  readonly lateMs: number;
}

export interface PutOptions {
  /** User metadata: names in lower case ASCII letters, digits and `-`; values in printable ASCII. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Default `application/json`. */
  readonly contentType?: string;
  /**
   * Unix milliseconds by `fence.now`: once that clock is past this, nothing is sent, and the answer is `unknown`, not sent,
   * `expired`. The reading that is compared is the very one that goes into the request's signature. Without a fence it is ignored.
   */
  readonly notAfter?: number | undefined;
  /** Keeps the object from being deleted (Object Lock). A backend without throws NO_OBJECT_LOCK, and nothing is written. */
  readonly retention?: Retention | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type PutOutcome =
  | { readonly outcome: "stored"; readonly etag: string }
  /** The condition did not hold (412). Whose object it is, is for the caller to find out: it may be this very put's. */
  | { readonly outcome: "exists" }
  /**
   * No answer, or one that leaves it open (409, 429, 5xx, connection error, time-out). With `sent: false` no byte of the
   * request left this machine (connection refused, unknown host), so this attempt cannot have been stored.
   */
  | {
      readonly outcome: "unknown";
      readonly sent: boolean;
      readonly cause: BackendError;
      readonly retryAfterMs?: number;
      /** `notAfter` has passed. */
      readonly expired?: true;
    };

export interface GetOptions {
  readonly range?: { readonly start: number; readonly end: number };
  readonly signal?: AbortSignal | undefined;
  /** Told whenever the server asks for fewer requests (503, 429), before the call is tried again. */
  readonly onSlowDown?: (() => void) | undefined;
}

export interface StoredObject {
  readonly body: Buffer;
  /** Opaque; give it back to `replaceIfMatch` unchanged. */
  readonly etag: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly contentType?: string | undefined;
}

export interface ListOptions {
  readonly prefix: string;
  readonly startAfter?: string;
  /** 1 … 1000, default 1000. */
  readonly maxKeys?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface ListPage {
  readonly entries: readonly ListEntry[];
  /** More keys follow: list again with `startAfter` = the last key of this page. */
  readonly truncated: boolean;
}

export interface ListEntry {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** When it was written, by the backend's clock; Unix milliseconds. */
  readonly modifiedAt?: number | undefined;
  /** Storage class, when the backend has any: `STANDARD`, `GLACIER`, `DEEP_ARCHIVE` … */
  readonly storageClass?: string | undefined;
}
