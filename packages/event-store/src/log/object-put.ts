import { CommitUnknownError } from "../core/errors.js";
import type { Head } from "../core/event.js";
import type { Retention } from "../objects/locks.js";
import { backOff, type Runtime } from "../system/runtime.js";
import { factsOf, vanished, type LogOnObjects } from "./log-on-objects.js";
import { PUT_ID } from "./proof.js";
import { recordAt } from "./tail.js";
import { abortedError } from "./turns.js";

/** One object on its way, byte for byte and with one id, however often it is put. */
export interface Attempt {
  readonly key: string;
  readonly keySeq: number;
  readonly body: Buffer;
  readonly putId: string;
  readonly before: Head;
  readonly end: Head;
  /** `before` was the log's last record later than this reading of the fence's clock. */
  readonly seenAt: number;
  /** It is not sent any more after that, by the clock of the backend's fence. */
  readonly notAfter: number | undefined;
  readonly retention: Retention | undefined;
}

/** What became of it: `winner` is the object that is in its place. */
export type Fate = { readonly stored: true } | { readonly stored: false; readonly winner: Buffer };

/**
 * Puts the very same bytes until it is known whether they were stored. `uncertain`: an earlier try may have stored them. `expired`:
 * nothing was stored, and the tail has to be looked for anew.
 * @throws CommitUnknownError; BackendError when certainly nothing was stored
 */
export async function putAttempt(
  log: LogOnObjects,
  runtime: Runtime,
  attempt: Attempt,
  options: { readonly uncertain: boolean; readonly until: number; readonly signal?: AbortSignal | undefined },
): Promise<Fate | "expired"> {
  const { until, signal } = options;
  const { key, keySeq, body, putId, end, notAfter, retention } = attempt;
  let { uncertain } = options;
  /** A definite refusal of one try says nothing about an earlier one that got no answer. */
  const fail = (cause: unknown): never => {
    if (!uncertain) throw cause;
    throw new CommitUnknownError(end.seq, end.hash, { facts: factsOf(log, key), cause });
  };
  for (let tries = 0; ; tries++) {
    const put = log.objects.putIfAbsent(key, body, { metadata: { [PUT_ID]: putId }, notAfter, retention, signal });
    const answer = await put.catch(fail);
    if (answer.outcome === "stored") return { stored: true };
    if (answer.outcome === "exists") {
      // Even a first 412 may be our own: the request can have been delivered twice. Only the put-id tells.
      uncertain = true;
      const found = await log.objects.get(key, { signal }).catch(fail);
      if (found?.metadata[PUT_ID] === putId) return { stored: true };
      if (found) return { stored: false, winner: found.body };
    } else {
      uncertain ||= answer.sent;
      if (answer.expired) return uncertain ? fail(answer.cause) : "expired";
    }
    const unanswered = answer.outcome === "unknown" ? answer : null;
    const pause = Math.max(unanswered?.retryAfterMs ?? 0, backOff(runtime, tries, 50, 2000));
    if (signal?.aborted) fail(uncertain ? signal.reason : abortedError(signal));
    if (runtime.elapsed() + pause > until) fail(unanswered?.cause ?? vanished(log, key, keySeq));
    await runtime.sleep(pause, signal);
  }
}

/**
 * What became of a put that may not be repeated any more: its key, whoever had it, may have been pruned by now. What the log holds in
 * its place tells, once no late put can be stored. @throws CommitUnknownError
 */
export async function outcomeOfExpired(log: LogOnObjects, attempt: Attempt, signal?: AbortSignal): Promise<boolean> {
  const { key, end, putId, notAfter = 0 } = attempt;
  const { fence } = log.objects;
  if (fence === undefined || fence.now() <= notAfter + fence.lateMs) {
    const cause = new Error("a late put may still be stored");
    throw new CommitUnknownError(end.seq, end.hash, { facts: factsOf(log, key), cause });
  }
  const object = await log.objects.get(key, { signal });
  if (object) return object.metadata[PUT_ID] === putId;
  return (await recordAt(log, end.seq, signal))?.eventHash === end.hash;
}
