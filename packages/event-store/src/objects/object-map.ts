import { createHash } from "node:crypto";
import { compareCodePoints } from "../core/json/strings.js";

/** An object as it is kept in memory. Frozen; its body is nobody else's. */
export interface HeldObject {
  readonly body: Buffer;
  /** The quoted hex MD5 of the body, as S3 has it. */
  readonly etag: string;
  /** User metadata. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly contentType: string;
  /** Unix milliseconds. */
  readonly modifiedAt: number;
  /** As S3 names it. */
  readonly storageClass: string;
  /** Of an archived object: a copy is being made, or can be read until then (Unix milliseconds). */
  readonly restore?: "ongoing" | number | undefined;
}

/** What changes of an object without its being written. */
export type HeldFacts = Partial<Pick<HeldObject, "modifiedAt" | "storageClass" | "restore">>;

export interface HeldOptions {
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly contentType?: string | undefined;
  readonly modifiedAt?: number | undefined;
  /** Default `STANDARD`. */
  readonly storageClass?: string | undefined;
}

export interface KeyPage {
  readonly keys: readonly string[];
  readonly truncated: boolean;
}

const ARCHIVES: ReadonlySet<string> = new Set(["GLACIER", "DEEP_ARCHIVE"]);

/** Whether it cannot be read as it is: S3 wants it restored first. */
export function isArchived({ storageClass, restore }: HeldObject, now: number): boolean {
  return ARCHIVES.has(storageClass) && (typeof restore !== "number" || restore <= now);
}

export function md5Etag(body: Uint8Array): string {
  return `"${createHash("md5").update(body).digest("hex")}"`;
}

/**
 * Objects in memory, their keys in the order of their UTF-8 bytes. Bodies are copied on the way in. Every method is
 * one indivisible step. Appending keys in order is cheap; a key in the middle moves those behind it.
 */
export class ObjectMap {
  readonly #objects = new Map<string, HeldObject>();
  readonly #keys: string[] = [];

  get size(): number {
    return this.#keys.length;
  }

  get(key: string): HeldObject | undefined {
    return this.#objects.get(key);
  }

  /** Stores `key`, whatever was there. */
  put(key: string, body: Uint8Array | string, options: HeldOptions = {}): HeldObject {
    const bytes = Buffer.from(body);
    const held: HeldObject = Object.freeze({
      body: bytes,
      etag: md5Etag(bytes),
      metadata: Object.freeze({ ...options.metadata }),
      contentType: options.contentType ?? "application/json",
      modifiedAt: options.modifiedAt ?? Date.now(),
      storageClass: options.storageClass ?? "STANDARD",
    });
    if (!this.#objects.has(key)) this.#keys.splice(this.#firstFrom(key), 0, key);
    this.#objects.set(key, held);
    return held;
  }

  /** Changes what only time, or the server, changes of an object. @throws Error when there is none */
  change(key: string, facts: HeldFacts): HeldObject {
    const held = this.#objects.get(key);
    if (held === undefined) throw new Error(`there is no object ${key}`);
    const changed = Object.freeze({ ...held, ...facts });
    this.#objects.set(key, changed);
    return changed;
  }

  /** Whether there was one. */
  delete(key: string): boolean {
    if (!this.#objects.delete(key)) return false;
    this.#keys.splice(this.#firstFrom(key), 1);
    return true;
  }

  /** All keys that begin with `prefix`. */
  keys(prefix = ""): readonly string[] {
    return this.page(prefix, "", Number.POSITIVE_INFINITY).keys;
  }

  /** At most `limit` keys that begin with `prefix` and come after `startAfter`. */
  page(prefix: string, startAfter: string, limit: number): KeyPage {
    let at = this.#firstFrom(prefix);
    if (startAfter !== "" && compareCodePoints(startAfter, prefix) >= 0) {
      at = this.#firstFrom(startAfter);
      if (this.#keys[at] === startAfter) at++;
    }
    const keys: string[] = [];
    for (; at < this.#keys.length; at++) {
      const key = this.#keys[at];
      if (key?.startsWith(prefix) !== true) break;
      if (keys.length >= limit) return { keys, truncated: true };
      keys.push(key);
    }
    return { keys, truncated: false };
  }

  /** Index of the first key that is not below `key`. */
  #firstFrom(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareCodePoints(this.#keys[middle] ?? "", key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
