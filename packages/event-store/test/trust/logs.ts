import { memoryObjects, S3EventStore, type EventStore, type MemoryObjects, type ObjectStore } from "../../src/index.js";
import {
  Checkpointer,
  localCosigner,
  localSigner,
  processMemory,
  type CheckpointOptions,
  type CheckpointSigner,
  type Memory,
} from "../../src/trust/index.js";

/** A log in a bucket that a test can look into, change behind the log's back, and count the requests of. */
export interface TestLog {
  readonly store: EventStore;
  readonly objects: MemoryObjects;
  readonly requests: string[];
}

export async function openLog(objects: MemoryObjects = memoryObjects(), prefix = "log"): Promise<TestLog> {
  const requests: string[] = [];
  const store = await S3EventStore.open({
    objects: counting(objects, requests),
    prefix,
    batch: true,
    skipBackendProof: true,
    onWarning: () => undefined,
  });
  return { store, objects, requests };
}

/** As a bucket of this name. */
function counting(objects: ObjectStore, requests: string[]): ObjectStore {
  return {
    identity: "s3://bucket",
    putIfAbsent: (key, body, options) => {
      requests.push(`PUT ${key}`);
      return objects.putIfAbsent(key, body, options);
    },
    replaceIfMatch: (key, body, etag, options) => {
      requests.push(`PUT ${key}`);
      return objects.replaceIfMatch(key, body, etag, options);
    },
    get: (key, options) => {
      requests.push(`GET ${key}`);
      return objects.get(key, options);
    },
    list: (options) => {
      requests.push(`LIST ${options.prefix}`);
      return objects.list(options);
    },
    delete: (key, options) => objects.delete(key, options),
    close: () => Promise.resolve(),
  };
}

/** Appends `count` events. */
export async function grow(store: EventStore, count: number, flavour = ""): Promise<void> {
  for (let done = 0; done < count; done += 1000) {
    const events = Array.from({ length: Math.min(1000, count - done) }, (_, i) => ({
      type: `T${String(i % 3)}`,
      aggregateId: `a-${String(i % 7)}`,
      ts: i,
      payload: { i: done + i, flavour },
    }));
    await store.appendBatch(events);
  }
}

export const ORIGIN = "rynxs.s3/bucket/log";
export const KEY = localSigner(ORIGIN, Buffer.alloc(32, 7));
export const OTHER_KEY = localSigner(ORIGIN, Buffer.alloc(32, 8));
export const WITNESS_KEY = localCosigner("witness.example/w", Buffer.alloc(32, 9), Date.now).key;

export function signing(signer = KEY, memory: Memory = processMemory()): CheckpointSigner {
  return { signer, memory };
}

export async function sign(store: EventStore, options: Partial<CheckpointOptions> = {}): Promise<string> {
  const report = await new Checkpointer(store, { signers: [signing()], ...options }).run();
  return report.latest?.body.toString() ?? "";
}

/** Everything under the log's `_tlog/`, by path. */
export async function tlogOf(objects: ObjectStore, prefix = "log"): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  const root = `${prefix}/_tlog/`;
  for (let startAfter = root; ;) {
    const page = await objects.list({ prefix: root, startAfter });
    for (const { key } of page.entries) {
      const object = await objects.get(key);
      if (object) found.set(key.slice(root.length), object.body);
      startAfter = key;
    }
    if (!page.truncated) return found;
  }
}

/** A copy of everything in it. */
export async function copyOf(objects: MemoryObjects, from = "", to = ""): Promise<MemoryObjects> {
  const copy = memoryObjects();
  for (let startAfter = ""; ;) {
    const page = await objects.list({ prefix: from, ...(startAfter !== "" && { startAfter }) });
    for (const { key } of page.entries) {
      const object = await objects.get(key);
      if (object)
        await copy.putIfAbsent(to + key.slice(from.length), object.body, {
          metadata: object.metadata,
          ...(object.contentType !== undefined && { contentType: object.contentType }),
        });
      startAfter = key;
    }
    if (!page.truncated) return copy;
  }
}

/** Puts a body there, whatever was there. */
export async function overwrite(objects: ObjectStore, key: string, body: Uint8Array): Promise<void> {
  await objects.delete(key);
  await objects.putIfAbsent(key, body);
}

export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "none";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}
