import assert from "node:assert/strict";
import { refusal, type Answer } from "./answer.js";

/**
 * What goes wrong with a request: what becomes of it at the server, and what the client hears, each by itself.
 * `FAULTS` has the usual ones by name.
 */
export interface Fault {
  readonly name: string;
  /** `late`: only when the test calls `releaseLate()`, or after `lateMs`, with the client's connection long gone. */
  readonly apply: "never" | "once" | "twice" | "late";
  /** `real`: what the server says (of two deliveries: the second time). `close` and `reset` end the connection without a word. */
  readonly answer: "real" | "truncated" | "close" | "reset" | "none" | Answer;
  /** Milliseconds between the request's fate and the answer. */
  readonly delayMs?: number;
  readonly lateMs?: number;
}

export interface FaultWhen {
  readonly method?: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** PUT, GET, HEAD, DELETE, LIST, RESTORE; for a bucket HEAD_BUCKET, PUT_BUCKET, GET_LIFECYCLE, PUT_LIFECYCLE … Tells a listing from other GETs. */
  readonly operation?: string;
  /** The whole key, or a pattern. */
  readonly key?: string | RegExp;
  /** The first request that it happens to, of those that match and that no earlier rule took; default 1. */
  readonly nth?: number;
  /** How many requests in a row it happens to; default 1. */
  readonly count?: number;
}

export interface FaultRule {
  readonly when: FaultWhen;
  readonly do: Fault;
}

export interface FaultTarget {
  readonly method: string;
  readonly operation: string;
  readonly key: string;
}

/** Rules in the order in which they were added. A request meets at most one fault: that of the first rule that is due. */
export class FaultTable {
  #rules: { readonly rule: FaultRule; seen: number; used: number }[] = [];

  add(...rules: readonly FaultRule[]): void {
    this.#rules.push(...rules.map((rule) => ({ rule, seen: 0, used: 0 })));
  }

  clear(): void {
    this.#rules = [];
  }

  /** Rules that did not happen as often as they should (a `count` of Infinity: at least once). */
  unused(): readonly FaultRule[] {
    const isUnused = (used: number, { count = 1 }: FaultWhen): boolean => used < (count === Infinity ? 1 : count);
    return this.#rules.filter(({ rule, used }) => isUnused(used, rule.when)).map(({ rule }) => rule);
  }

  /** @throws AssertionError naming the rules that are left */
  assertAllUsed(): void {
    const left = this.unused().map((rule) => rule.do.name);
    assert.deepEqual(left, [], "every fault happened");
  }

  /** The fault that this request meets. Counts it. */
  take(target: FaultTarget): Fault | null {
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

function matches({ method, operation, key }: FaultWhen, target: FaultTarget): boolean {
  if (method !== undefined && method !== target.method) return false;
  if (operation !== undefined && operation !== target.operation) return false;
  if (typeof key === "string") return key === target.key;
  // `search`, because `test` of a pattern with the flag g or y would remember where it stopped.
  return key === undefined || target.key.search(key) >= 0;
}

function refuse(name: string, apply: Fault["apply"], said: Answer): Fault {
  return { name, apply, answer: said };
}

const CONFLICT = refusal(409, "ConditionalRequestConflict", "A conflicting operation is under way; try again.");
const INTERNAL_ERROR = refusal(500, "InternalError", "We encountered an internal error. Please try again.");

/** The named faults. Each write step has one that leaves nothing and one that leaves it stored. */
export interface FaultCatalogue {
  /** Unprocessed, the connection closed. */
  readonly dropRequest: Fault;
  /** Processed, the connection closed instead of an answer. */
  readonly dropAnswer: Fault;
  readonly resetBefore: Fault;
  readonly resetAfter: Fault;
  /** The connection is closed now; the request is processed when `releaseLate()` is called. */
  readonly applyLate: Fault;
  applyLateAfter(ms: number): Fault;
  /** Never answered, the connection left open: the client's time-out has to end it. */
  readonly hang: Fault;
  readonly hangAfterCommit: Fault;
  readonly conflict: Fault;
  readonly conflictAfterCommit: Fault;
  readonly internalError: Fault;
  readonly internalErrorAfterCommit: Fault;
  slowDown(retryAfterSeconds?: number): Fault;
  tooManyRequests(retryAfterSeconds?: number): Fault;
  readonly accessDenied: Fault;
  readonly noSuchBucket: Fault;
  /** Processed; the answer breaks off half-way. */
  readonly truncated: Fault;
  /** Delivered and processed twice; the second answer is returned. */
  readonly twice: Fault;
  slow(ms: number): Fault;
  status(status: number, code?: string, apply?: Fault["apply"]): Fault;
}

export const FAULTS: FaultCatalogue = {
  dropRequest: { name: "dropRequest", apply: "never", answer: "close" },
  dropAnswer: { name: "dropAnswer", apply: "once", answer: "close" },
  resetBefore: { name: "resetBefore", apply: "never", answer: "reset" },
  resetAfter: { name: "resetAfter", apply: "once", answer: "reset" },
  applyLate: { name: "applyLate", apply: "late", answer: "close" },
  applyLateAfter: (ms) => ({ name: "applyLateAfter", apply: "late", answer: "close", lateMs: ms }),
  hang: { name: "hang", apply: "never", answer: "none" },
  hangAfterCommit: { name: "hangAfterCommit", apply: "once", answer: "none" },
  conflict: refuse("conflict", "never", CONFLICT),
  conflictAfterCommit: refuse("conflictAfterCommit", "once", CONFLICT),
  internalError: refuse("internalError", "never", INTERNAL_ERROR),
  internalErrorAfterCommit: refuse("internalErrorAfterCommit", "once", INTERNAL_ERROR),
  slowDown: (retryAfterSeconds = 1) =>
    refuse(
      "slowDown",
      "never",
      refusal(503, "SlowDown", "Please reduce your request rate.", {}, { "retry-after": String(retryAfterSeconds) }),
    ),
  tooManyRequests: (retryAfterSeconds = 1) =>
    refuse(
      "tooManyRequests",
      "never",
      refusal(429, "TooManyRequests", "Too many requests.", {}, { "retry-after": String(retryAfterSeconds) }),
    ),
  accessDenied: refuse("accessDenied", "never", refusal(403, "AccessDenied", "Access Denied")),
  noSuchBucket: refuse("noSuchBucket", "never", refusal(404, "NoSuchBucket", "The specified bucket does not exist")),
  truncated: { name: "truncated", apply: "once", answer: "truncated" },
  twice: { name: "twice", apply: "twice", answer: "real" },
  slow: (ms) => ({ name: "slow", apply: "once", answer: "real", delayMs: ms }),
  status: (status, code = "EmulatedFault", apply = "never") =>
    refuse(`status ${String(status)}`, apply, refusal(status, code, "As the test wants it.")),
};
