import { hash } from "node:crypto";
import { EventStoreError } from "../../core/errors.js";
import type { ObjectStore } from "../../objects/port.js";
import { backOff, type Runtime } from "../../system/runtime.js";
import { decodeRoot, type IndexRoot } from "./root.js";
import { IndexUnusable } from "./unusable.js";

const ATTEMPTS = 6;
const PAUSE_MS = 100;
const MAX_PAUSE_MS = 3000;

/**
 * Stores an index file, and reads it back: when this returns, what stands under `key` is it, or says the same. Another file in its
 * place is replaced. @throws BackendError when it could not be stored within a few attempts; EventStoreError CONTENTION when others keep
 * replacing it
 */
export async function placeFile(
  objects: ObjectStore,
  key: string,
  body: Buffer,
  { runtime, signal }: { readonly runtime: Runtime; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  let failure: EventStoreError | null = null;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) await runtime.sleep(backOff(runtime, attempt, PAUSE_MS, MAX_PAUSE_MS), signal);
    const stored = await objects.get(key, { signal });
    if (stored !== null && (await saysTheSame(stored.body, body))) return;
    const options = { contentType: "application/gzip", signal };
    const put = stored
      ? await objects.replaceIfMatch(key, body, stored.etag, options)
      : await objects.putIfAbsent(key, body, options);
    failure = put.outcome === "unknown" ? put.cause : null;
    if (put.outcome === "unknown" || put.outcome === "exists") continue;
    const back = await objects.get(key, { signal });
    if (back !== null && (await saysTheSame(back.body, body))) return;
  }
  throw (
    failure ??
    new EventStoreError(
      "CONTENTION",
      `the index file ${key} could not be placed: what is read back is not what was stored`,
      {
        facts: { bucket: objects.identity, key },
        hint: "another process may be writing another log's index here: find out which, then compact again",
      },
    )
  );
}

/** The very bytes; or, where other zlibs compress otherwise, whole parts that hold the same. */
async function saysTheSame(stored: Buffer, body: Buffer): Promise<boolean> {
  if (stored.equals(body)) return true;
  try {
    const [theirs, ours] = [await decodeRoot(stored, stored.length), await decodeRoot(body, body.length)];
    return theirs.records !== null && sameRecords(theirs, ours) && isWhole(stored, theirs);
  } catch (error) {
    if (error instanceof IndexUnusable) return false;
    throw error;
  }
}

function sameRecords(a: IndexRoot, b: IndexRoot): boolean {
  return (
    a.first === b.first &&
    a.last === b.last &&
    a.before === b.before &&
    a.end === b.end &&
    a.records?.content === b.records?.content &&
    a.aggregates.entries === b.aggregates.entries &&
    a.types.entries === b.types.entries
  );
}

function isWhole(file: Buffer, { records, aggregates, types }: IndexRoot): boolean {
  const parts = [...(records ? [{ offset: 0, ...records }] : []), ...aggregates.blocks, ...types.blocks];
  return parts.every(
    ({ offset, length, sha256 }) => hash("sha256", file.subarray(offset, offset + length), "hex") === sha256,
  );
}
