import { BackendError, ConfigError, EventStoreError } from "../core/errors.js";
import type { GetOptions, ListOptions, PutOptions, PutOutcome } from "./port.js";

/*
 * What the port demands of its callers, checked by the drivers that have no server to do it. Every refusal is a
 * ConfigError: a mistake of the caller, before anything was done.
 */

const MAX_KEY_BYTES = 1024;
const MAX_LIST_KEYS = 1000;

/** S3 takes at most 2 KB of user metadata: the bytes of all names and values. */
const MAX_METADATA_BYTES = 2048;

const LONE_SURROGATE = /\p{Surrogate}/u;

export function checkKey(key: string): void {
  if (key === "") throw new ConfigError("an object key is never empty");
  if (LONE_SURROGATE.test(key))
    throw new ConfigError("an object key is well-formed Unicode; this one has a lone surrogate");
  const bytes = Buffer.byteLength(key);
  if (bytes > MAX_KEY_BYTES) {
    throw new ConfigError(`an object key has at most ${String(MAX_KEY_BYTES)} bytes; this one has ${String(bytes)}`, {
      hint: "choose a shorter prefix",
    });
  }
}

export function checkPut(key: string, options: PutOptions): void {
  checkKey(key);
  let bytes = 0;
  for (const [name, value] of Object.entries(options.metadata ?? {})) {
    if (!/^[a-z0-9-]+$/.test(name)) {
      throw new ConfigError(`metadata name ${JSON.stringify(name)} has something else than a-z, 0-9 and -`, {
        facts: { key },
      });
    }
    if (!/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(value)) {
      throw new ConfigError(`the value of metadata ${name} is not printable ASCII without spaces around it`, {
        facts: { key },
      });
    }
    bytes += name.length + value.length;
  }
  if (bytes > MAX_METADATA_BYTES) {
    throw new ConfigError(`metadata has at most ${String(MAX_METADATA_BYTES)} bytes; this has ${String(bytes)}`, {
      facts: { key },
    });
  }
  if (options.retention !== undefined && !Number.isFinite(options.retention.until))
    throw new ConfigError("the end of the retention is not a time", { facts: { key } });
  if (Number.isNaN(options.notAfter)) throw new ConfigError("notAfter is not a time", { facts: { key } });
  if (options.contentType !== undefined && !/^[\x21-\x7e][\x20-\x7e]*$/.test(options.contentType)) {
    throw new ConfigError("the content type is not printable ASCII", { facts: { key } });
  }
}

/** For the drivers that have no Object Lock. @throws BackendError NO_OBJECT_LOCK */
export function refuseRetention(identity: string, key: string, { retention }: PutOptions): void {
  if (retention === undefined) return;
  throw new BackendError(
    "NO_OBJECT_LOCK",
    `PUT ${key}: ${identity} has no Object Lock, so it cannot retain an object`,
    {
      facts: { operation: "PUT", key },
      hint: "leave the retention out, or keep the log in a bucket that has Object Lock",
    },
  );
}

export function checkGet(key: string, options: GetOptions): void {
  checkKey(key);
  const range = options.range;
  if (range === undefined) return;
  const { start, end } = range;
  if (!Number.isSafeInteger(start) || Number.isNaN(end) || start < 0 || end <= start) {
    throw new ConfigError(`${String(start)} to ${String(end)} is not a range of bytes: 0 ≤ start < end`, {
      facts: { key },
    });
  }
}

export function checkList(options: ListOptions): number {
  const { prefix, startAfter = "", maxKeys = MAX_LIST_KEYS } = options;
  if (!Number.isInteger(maxKeys) || maxKeys < 1 || maxKeys > MAX_LIST_KEYS) {
    throw new ConfigError(`a page has 1 to ${String(MAX_LIST_KEYS)} keys, not ${String(maxKeys)}`);
  }
  if (LONE_SURROGATE.test(prefix) || LONE_SURROGATE.test(startAfter)) {
    throw new ConfigError("a prefix is well-formed Unicode; this one, or startAfter, has a lone surrogate");
  }
  return maxKeys;
}

/** For `get`, `list` and `delete`: throws ABORTED once the caller's signal did. */
export function throwIfAborted(signal: AbortSignal | undefined, operation: string): void {
  if (signal?.aborted === true) throw abortedError(signal, operation);
}

/** For a conditional put whose signal was aborted before anything was done. */
export function abortedPut(signal: AbortSignal): PutOutcome {
  return { outcome: "unknown", sent: false, cause: abortedError(signal, "PUT") };
}

/** For a conditional put whose `notAfter` had passed before anything was done. */
export function expiredPut(key: string): PutOutcome {
  const cause = new BackendError("UNAVAILABLE", `PUT ${key}: it was not done, since its time was over`, {
    facts: { operation: "PUT", key },
  });
  return { outcome: "unknown", sent: false, cause, expired: true };
}

function abortedError(signal: AbortSignal, operation: string): BackendError {
  const cause: unknown = signal.reason;
  return new BackendError("ABORTED", `${operation} was aborted`, { facts: { operation }, cause });
}

export function closedError(identity: string): EventStoreError {
  return new EventStoreError("CLOSED", `${identity} was closed`);
}
