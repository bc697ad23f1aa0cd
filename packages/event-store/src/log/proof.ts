import { BackendError } from "../core/errors.js";
import type { ObjectStore } from "../objects/port.js";
import { backOff, type Runtime } from "../system/runtime.js";
import type { LogKeys } from "./keys.js";

/** Backends that were proved by this process, by identity and probe key. */
const proved = new Set<string>();

/** Metadata name of the fresh id that every put of an event object carries: how a writer tells its own write from another's. */
export const PUT_ID = "put-id";

/**
 * Proves, once per process, that the backend honours `If-None-Match: *` under this log's prefix and keeps user metadata:
 * the safety of every append rests on both. Puts a probe object (not a record) that must be refused the second time.
 * @throws BackendError UNSAFE_BACKEND
 */
export async function proveBackend(
  objects: ObjectStore,
  keys: LogKeys,
  runtime: Runtime,
  until: number,
  signal?: AbortSignal,
): Promise<void> {
  const name = `${objects.identity} ${keys.probe}`;
  if (proved.has(name)) return;
  const put = (): Promise<"stored" | "exists"> => putProbe(objects, keys.probe, runtime, until, signal);
  // A refusal of the first put is proof already: the probe stands there from an earlier run, or from a retry.
  if ((await put()) === "stored" && (await put()) === "stored") {
    throw unsafe(
      objects,
      keys,
      "a conditional put (If-None-Match: *) of an existing key was accepted and overwrote it",
    );
  }
  const probe = await objects.get(keys.probe, { signal });
  if (probe?.metadata[PUT_ID] === undefined)
    throw unsafe(objects, keys, "user metadata of an object (x-amz-meta-put-id) was not kept");
  proved.add(name);
}

async function putProbe(
  objects: ObjectStore,
  key: string,
  runtime: Runtime,
  until: number,
  signal?: AbortSignal,
): Promise<"stored" | "exists"> {
  for (let attempt = 0; ; attempt++) {
    const answer = await objects.putIfAbsent(key, PROBE_BODY, { metadata: { [PUT_ID]: runtime.id() }, signal });
    if (answer.outcome !== "unknown") return answer.outcome;
    const pause = Math.max(answer.retryAfterMs ?? 0, backOff(runtime, attempt, 50, 2000));
    if (signal?.aborted || runtime.elapsed() + pause > until) throw answer.cause;
    await runtime.sleep(pause, signal);
  }
}

const PROBE_BODY = Buffer.from('{"about":"proves that this backend refuses to overwrite; safe to delete"}');

function unsafe(objects: ObjectStore, keys: LogKeys, problem: string): BackendError {
  return new BackendError("UNSAFE_BACKEND", `${objects.identity} is not safe for a log: ${problem}`, {
    facts: { bucket: objects.identity, key: keys.probe, operation: "PUT" },
    hint: "two writers would silently overwrite each other: use a backend with conditional writes, without versioning on Ceph (rynxs doctor shows what this one can do)",
  });
}
