import { KubeError, type KubeErrorCode } from "../kube/errors.js";
import type { BackOff } from "./back-off.js";

/**
 * Why a list or watch began anew: the server ended the watch as agreed; nothing came for too long; the code of an error; or, `failed`,
 * anything else.
 */
export type RestartReason = "ended" | "stalled" | "failed" | Lowercase<KubeErrorCode>;

/** What to do after an error. */
export interface Restart {
  readonly reason: RestartReason;
  readonly pauseMs: number;
  /** The last resourceVersion is of no more use, or what it counts may have been made anew since. */
  readonly relist: boolean;
}

export function afterError(error: unknown, backOff: BackOff): Restart {
  if (!(error instanceof KubeError)) return { reason: "failed", pauseMs: backOff.next(), relist: false };
  const reason = error.code.toLowerCase() as Lowercase<KubeErrorCode>;
  switch (error.code) {
    case "GONE":
      return { reason, pauseMs: 0, relist: true };
    case "UNAUTHORIZED":
    case "INVALID_CONFIG":
      return { reason, pauseMs: backOff.long(), relist: false };
    case "FORBIDDEN":
    case "NOT_FOUND":
    case "INVALID":
    case "REFUSED":
      return { reason, pauseMs: backOff.long(), relist: true };
    case "THROTTLED":
    case "UNAVAILABLE":
    case "CONFLICT":
    case "ABORTED":
      return { reason, pauseMs: backOff.after(error.retryAfterMs), relist: isAheadOfServer(error) };
  }
}

/** Our resourceVersion is of a future that the server does not have: its etcd was restored from a backup. */
function isAheadOfServer(error: KubeError): boolean {
  return error.facts.status === 504 && /too large resource version/i.test(error.message);
}
