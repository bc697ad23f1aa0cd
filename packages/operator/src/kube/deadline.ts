import { STALLED_CONNECTION } from "./port.js";

/** A signal that follows the caller's and has a time limit of its own. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** The time was up. */
  readonly expired: boolean;
  /** Takes the time limit away; the caller's signal still counts. */
  lift(): void;
  /** To be called at the end: the caller's signal may live for ever, and would keep this one. */
  end(): void;
}

/** Real time, not a Runtime's: this is about sockets. AbortSignal.any would keep each signal for as long as the caller's lives (Node 20). */
export function deadline(outer: AbortSignal | undefined, limitMs: number): Deadline {
  const controller = new AbortController();
  const follow = (): void => controller.abort(outer?.reason);
  let expired = false;
  const timer = setTimeout(() => {
    expired = true;
    controller.abort(STALLED_CONNECTION);
  }, limitMs);
  const lift = (): void => clearTimeout(timer);
  if (outer?.aborted === true) follow();
  else outer?.addEventListener("abort", follow, { once: true });
  return {
    signal: controller.signal,
    get expired() {
      return expired;
    },
    lift,
    end() {
      lift();
      outer?.removeEventListener("abort", follow);
    },
  };
}
