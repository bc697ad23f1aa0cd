import type { ObjectStore } from "../../objects/port.js";
import { backOff, type Runtime } from "../../system/runtime.js";

const TRIES = 6;

/**
 * Creates an object that is derived from the log, and so the same whoever writes it: an answer that is lost is simply asked for again.
 * `exists`: an object of this key was there, perhaps this one.
 * @throws BackendError when the backend never gives a clear answer, or refuses
 */
export async function createDerived(
  objects: ObjectStore,
  key: string,
  body: Uint8Array,
  {
    runtime,
    contentType,
    signal,
  }: { readonly runtime: Runtime; readonly contentType: string; readonly signal?: AbortSignal | undefined },
): Promise<"stored" | "exists"> {
  for (let tries = 1; ; tries++) {
    const answer = await objects.putIfAbsent(key, body, { contentType, signal });
    if (answer.outcome !== "unknown") return answer.outcome;
    if (signal?.aborted === true || tries === TRIES) throw answer.cause;
    await runtime.sleep(Math.max(answer.retryAfterMs ?? 0, backOff(runtime, tries, 50, 2000)), signal);
  }
}
