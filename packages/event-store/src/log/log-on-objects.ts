import { BackendError, type ErrorFacts } from "../core/errors.js";
import { GENESIS_HASH, type Head } from "../core/event.js";
import type { ObjectStore } from "../objects/port.js";
import type { OnWarning } from "../system/warning.js";
import type { LogKeys } from "./keys.js";
import type { RetainPolicy } from "./retention.js";

export const EMPTY: Head = { seq: -1, hash: GENESIS_HASH };

/** A log on an object store: what finding its tail, reading and appending have in common. */
export interface LogOnObjects {
  readonly objects: ObjectStore;
  readonly keys: LogKeys;
  /** Read and keep the head hint. */
  readonly useHead: boolean;
  /** Each event object is to be kept so long (Object Lock). */
  readonly retain?: RetainPolicy | undefined;
  /** Told of derived data that cannot be used. */
  readonly onWarning?: OnWarning | undefined;
}

export function factsOf(log: LogOnObjects, key: string): ErrorFacts {
  return { bucket: log.objects.identity, key };
}

/** An object that a moment ago was there. */
export function vanished(log: LogOnObjects, key: string, seq: number): BackendError {
  return new BackendError(
    "UNAVAILABLE",
    `the object ${key} was listed but could not be read: it was deleted meanwhile`,
    {
      facts: { ...factsOf(log, key), seq, operation: "GET" },
      hint: "find out who deletes objects of this log, then try again",
    },
  );
}
