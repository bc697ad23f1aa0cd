import type { EventStoreError, ObjectStore, PutOutcome } from "@rynxs/event-store";

/** What is told of writes to the bucket. */
export interface PutCounts {
  /** Left open, or refused: `throttled`, `server_error`, `timeout`, `connection`, `access_denied`, `refused`. */
  failed(errorType: string): void;
  /** Another writer was faster. */
  conflict(): void;
}

const EVENT_KEY = /(^|\/)[0-9]{10}\.json$/;

/** The same object store, with its conditional writes counted. */
export function countedObjects(objects: ObjectStore, counts: PutCounts): ObjectStore {
  const counted = async (put: Promise<PutOutcome>, isRace: boolean): Promise<PutOutcome> => {
    try {
      const outcome = await put;
      if (outcome.outcome === "exists" && isRace) counts.conflict();
      if (outcome.outcome === "unknown" && !outcome.expired) counts.failed(putErrorType(outcome.cause));
      return outcome;
    } catch (error) {
      counts.failed(putErrorType(error));
      throw error;
    }
  };
  return {
    get identity() {
      return objects.identity;
    },
    get clockSkewMs() {
      return objects.clockSkewMs;
    },
    get fence() {
      return objects.fence;
    },
    // Only for the place of an event is there a race; the head, for one, is moved by whoever comes first.
    putIfAbsent: (key, body, options) => counted(objects.putIfAbsent(key, body, options), EVENT_KEY.test(key)),
    replaceIfMatch: (key, body, etag, options) => counted(objects.replaceIfMatch(key, body, etag, options), false),
    get: (key, options) => objects.get(key, options),
    list: (options) => objects.list(options),
    delete: (key, options) => objects.delete(key, options),
    close: () => objects.close(),
  };
}

/** One of few words, so that the metric has few series. */
export function putErrorType(error: unknown): string {
  const { code, facts } = (error ?? {}) as Partial<EventStoreError>;
  const status = facts?.status;
  if (status === 429 || status === 503) return "throttled";
  if (status !== undefined && status >= 500) return "server_error";
  if (code === "ACCESS_DENIED") return "access_denied";
  if (code !== "UNAVAILABLE") return "refused";
  return /time/i.test(facts?.backendCode ?? (error as Error).message) ? "timeout" : "connection";
}
