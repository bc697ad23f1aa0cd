import assert from "node:assert/strict";
import { ApiFailure, expired } from "./failure.js";

/**
 * What goes wrong with a request: what becomes of it at the server, and what the client hears, each by itself.
 * `CLUSTER_FAULTS` has the usual ones by name.
 */
export interface ClusterFault {
  readonly name: string;
  readonly apply: "never" | "once" | "twice";
  /**
   * `real`: what the server says (of two deliveries: the second time). `close` and `reset` end the connection, on HTTP/2 with all
   * that is under way on it; `reset-stream` ends only this request there. `stall`: no answer, and the connection stays open.
   */
  readonly answer: "real" | "truncated" | "close" | "reset" | "reset-stream" | "stall" | ApiFailure;
  /** Milliseconds between the request's fate and the answer. */
  readonly delayMs?: number;
  /** What happens to a watch after it has begun. */
  readonly watch?: WatchFault;
}

export interface WatchFault {
  /** Events that go out before it; default 0. Bookmarks count. */
  readonly after?: number;
  /**
   * `silence`: nothing more comes, and the connection stays open. `truncate`: the next event breaks off half-way. `end`: the
   * server ends the answer in good order. `expire`: an ERROR event of code 410, then the end.
   */
  readonly then?: "silence" | "close" | "reset" | "truncate" | "end" | "expire";
  /** Milliseconds that each event takes. */
  readonly slowMs?: number;
  /** Every event is sent twice. */
  readonly duplicate?: boolean;
}

export interface ClusterFaultWhen {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** get, list, watch, create, update, patch, delete, deletecollection. */
  readonly verb?: string;
  /** Plural: `agents`. */
  readonly resource?: string;
  readonly subresource?: string;
  /** The whole path without the query, or a pattern. */
  readonly path?: string | RegExp;
  /** Part of the User-Agent, or a pattern. */
  readonly userAgent?: string | RegExp;
  /** The first request that it happens to, of those that match and that no earlier rule took; default 1. */
  readonly nth?: number;
  /** How many requests in a row it happens to; default 1. */
  readonly count?: number;
}

export interface ClusterFaultRule {
  readonly when: ClusterFaultWhen;
  readonly do: ClusterFault;
}

export interface FaultTarget {
  readonly method: string;
  readonly verb: string;
  readonly resource: string;
  readonly subresource: string | undefined;
  readonly path: string;
  readonly userAgent: string;
}

/** Rules in the order in which they were added. A request meets at most one fault: that of the first rule that is due. */
export class ClusterFaultTable {
  #rules: { readonly rule: ClusterFaultRule; seen: number; used: number }[] = [];

  add(...rules: readonly ClusterFaultRule[]): void {
    this.#rules.push(...rules.map((rule) => ({ rule, seen: 0, used: 0 })));
  }

  clear(): void {
    this.#rules = [];
  }

  /** @throws AssertionError naming the rules that did not happen as often as they should (a `count` of Infinity: at least once) */
  assertAllUsed(): void {
    const isUnused = (used: number, { count = 1 }: ClusterFaultWhen): boolean =>
      used < (count === Infinity ? 1 : count);
    const left = this.#rules.filter(({ rule, used }) => isUnused(used, rule.when)).map(({ rule }) => rule.do.name);
    assert.deepEqual(left, [], "every fault happened");
  }

  /** The fault that this request meets. Counts it. */
  take(target: FaultTarget): ClusterFault | null {
    for (const entry of this.#rules) {
      const { when } = entry.rule;
      if (entry.used >= (when.count ?? 1) || !matches(when, target)) continue;
      entry.seen++;
      if (entry.seen < (when.nth ?? 1)) continue;
      entry.used++;
      return entry.rule.do;
    }
    return null;
  }
}

function matches(when: ClusterFaultWhen, target: FaultTarget): boolean {
  const exact = ["method", "verb", "resource", "subresource"] as const;
  if (exact.some((key) => when[key] !== undefined && when[key] !== target[key])) return false;
  const { path, userAgent } = when;
  if (typeof path === "string" ? path !== target.path : path !== undefined && target.path.search(path) < 0)
    return false;
  if (userAgent === undefined) return true;
  return typeof userAgent === "string" ? target.userAgent.includes(userAgent) : target.userAgent.search(userAgent) >= 0;
}

function refuse(name: string, apply: ClusterFault["apply"], answer: ApiFailure): ClusterFault {
  return { name, apply, answer };
}

const INTERNAL = new ApiFailure(500, "InternalError", "Internal error occurred: as the test wants it");

export interface ClusterFaultCatalogue {
  /** Unprocessed, the connection closed. */
  readonly dropRequest: ClusterFault;
  /** Processed, the connection closed instead of an answer. */
  readonly dropAnswer: ClusterFault;
  readonly resetBefore: ClusterFault;
  readonly resetAfter: ClusterFault;
  readonly resetStream: ClusterFault;
  /** Never answered, the connection left open: the client's time-out has to end it. */
  readonly stall: ClusterFault;
  readonly stallAfterCommit: ClusterFault;
  readonly internalError: ClusterFault;
  readonly internalErrorAfterCommit: ClusterFault;
  readonly unavailable: ClusterFault;
  tooManyRequests(retryAfterSeconds?: number): ClusterFault;
  /** As an HTTP status: for lists, and for watches the way that real servers seldom take. */
  readonly gone: ClusterFault;
  /** As real servers tell a watch: HTTP 200 and an ERROR event of code 410. */
  readonly expiredEvent: ClusterFault;
  readonly unauthorized: ClusterFault;
  readonly forbidden: ClusterFault;
  /** Processed; the answer breaks off half-way. */
  readonly truncated: ClusterFault;
  readonly twice: ClusterFault;
  slow(ms: number): ClusterFault;
  /** The watch goes silent after so many events, with its connection open. */
  silentWatch(after?: number): ClusterFault;
  /** The connection of the watch is closed in the middle of an event. */
  cutWatch(after?: number): ClusterFault;
  endWatch(after?: number): ClusterFault;
  expireWatch(after?: number): ClusterFault;
  resetWatch(after?: number): ClusterFault;
  slowEvents(ms: number): ClusterFault;
  readonly duplicateEvents: ClusterFault;
  status(status: number, reason?: string, apply?: ClusterFault["apply"]): ClusterFault;
}

function onWatch(name: string, watch: WatchFault): ClusterFault {
  return { name, apply: "once", answer: "real", watch };
}

export const CLUSTER_FAULTS: ClusterFaultCatalogue = {
  dropRequest: { name: "dropRequest", apply: "never", answer: "close" },
  dropAnswer: { name: "dropAnswer", apply: "once", answer: "close" },
  resetBefore: { name: "resetBefore", apply: "never", answer: "reset" },
  resetAfter: { name: "resetAfter", apply: "once", answer: "reset" },
  resetStream: { name: "resetStream", apply: "never", answer: "reset-stream" },
  stall: { name: "stall", apply: "never", answer: "stall" },
  stallAfterCommit: { name: "stallAfterCommit", apply: "once", answer: "stall" },
  internalError: refuse("internalError", "never", INTERNAL),
  internalErrorAfterCommit: refuse("internalErrorAfterCommit", "once", INTERNAL),
  unavailable: refuse("unavailable", "never", new ApiFailure(503, "ServiceUnavailable", "as the test wants it")),
  tooManyRequests: (retryAfterSeconds = 1) => refuse("tooManyRequests", "never", tooManyRequests(retryAfterSeconds)),
  gone: refuse("gone", "never", expired("as the test wants it")),
  expiredEvent: onWatch("expiredEvent", { then: "expire" }),
  unauthorized: refuse("unauthorized", "never", new ApiFailure(401, "Unauthorized", "Unauthorized")),
  forbidden: refuse("forbidden", "never", new ApiFailure(403, "Forbidden", "as the test wants it")),
  truncated: { name: "truncated", apply: "once", answer: "truncated" },
  twice: { name: "twice", apply: "twice", answer: "real" },
  slow: (ms) => ({ name: "slow", apply: "once", answer: "real", delayMs: ms }),
  silentWatch: (after = 0) => onWatch("silentWatch", { after, then: "silence" }),
  cutWatch: (after = 0) => onWatch("cutWatch", { after, then: "truncate" }),
  endWatch: (after = 0) => onWatch("endWatch", { after, then: "end" }),
  expireWatch: (after = 0) => onWatch("expireWatch", { after, then: "expire" }),
  resetWatch: (after = 0) => onWatch("resetWatch", { after, then: "reset" }),
  slowEvents: (ms) => onWatch("slowEvents", { slowMs: ms }),
  duplicateEvents: onWatch("duplicateEvents", { duplicate: true }),
  status: (status, reason = "InternalError", apply = "never") =>
    refuse(`status ${String(status)}`, apply, new ApiFailure(status, reason, "as the test wants it")),
};

function tooManyRequests(seconds: number): ApiFailure {
  const message = "Too many requests, please try again later.";
  return new ApiFailure(
    429,
    "TooManyRequests",
    message,
    { retryAfterSeconds: seconds },
    { "retry-after": String(seconds) },
  );
}
