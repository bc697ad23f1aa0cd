import assert from "node:assert/strict";
import type { ObjectStore, PutOutcome, StoredObject } from "../../objects/port.js";

export interface ConformanceContext {
  /** Another client of the same bucket. Each one is closed by the case that asked for it. */
  open(): Promise<ObjectStore>;
  /** What the keys of a case begin with. A case deletes what it stored. */
  readonly prefix: string;
  /** How many keys the test of long listings stores; more than 1000 to see more than one full page. Default 1005. */
  readonly manyKeys?: number | undefined;
}

export interface ConformanceCase {
  readonly name: string;
  /** What only object stores proper can do: a directory cannot hold `a` and `a/b`. Leave the case out for those. */
  readonly requires?: "keys below keys";
  /** @throws AssertionError, or whatever the store throws */
  run(context: ConformanceContext): Promise<void>;
}

/** What a case works with: a store, further clients of the same bucket, and keys of its own. */
export interface Bench {
  readonly store: ObjectStore;
  readonly manyKeys: number;
  readonly another: () => Promise<ObjectStore>;
  readonly key: (name: string) => string;
}

/** A case whose clients are closed, and whose objects are deleted, whatever comes out of it. */
export function conformanceCase(name: string, test: (bench: Bench) => Promise<void>): ConformanceCase {
  return {
    name,
    run: async (context) => {
      const opened: ObjectStore[] = [];
      const another = async (): Promise<ObjectStore> => {
        const store = await context.open();
        opened.push(store);
        return store;
      };
      const store = await another();
      const prefix = `${context.prefix}${name.replaceAll(/[^a-z0-9]+/gi, "-")}`;
      try {
        await test({ store, another, manyKeys: context.manyKeys ?? 1005, key: (rest) => `${prefix}/${rest}` });
      } finally {
        try {
          await deletePrefix(store, prefix);
        } finally {
          await Promise.all(opened.map((each) => each.close()));
        }
      }
    },
  };
}

/** Deletes every key that begins with `prefix`; returns how many there were. For cleaning up after tests. */
export async function deletePrefix(store: ObjectStore, prefix: string): Promise<number> {
  let deleted = 0;
  for (;;) {
    const { entries, truncated } = await store.list({ prefix });
    await inParallel(entries, 16, ({ key }) => store.delete(key));
    deleted += entries.length;
    if (!truncated || entries.length === 0) return deleted;
  }
}

/** Runs `action` on all items, at most `limit` at a time. */
export async function inParallel<T>(
  items: readonly T[],
  limit: number,
  action: (item: T) => Promise<unknown>,
): Promise<void> {
  const rest = items.values();
  const worker = async (): Promise<void> => {
    for (const item of rest) await action(item);
  };
  await Promise.all(Array.from({ length: limit }, worker));
}

/** Puts that nothing disturbs must be stored. */
export function assertStored(outcome: PutOutcome): string {
  if (outcome.outcome === "unknown") throw outcome.cause;
  assert.equal(outcome.outcome, "stored");
  assert.notEqual(outcome.etag, "", "an ETag is never empty");
  return outcome.etag;
}

export async function put(store: ObjectStore, key: string, body: string | Uint8Array = key): Promise<string> {
  return assertStored(await store.putIfAbsent(key, Buffer.from(body)));
}

export async function getExisting(store: ObjectStore, key: string): Promise<StoredObject> {
  const object = await store.get(key);
  assert.ok(object !== null, `${key} is stored`);
  return object;
}

export async function listAll(store: ObjectStore, prefix: string, maxKeys?: number): Promise<string[]> {
  const keys: string[] = [];
  for (;;) {
    const last = keys.at(-1);
    const page = await store.list({
      prefix,
      ...(maxKeys === undefined ? {} : { maxKeys }),
      ...(last === undefined ? {} : { startAfter: last }),
    });
    assert.ok(last === undefined || page.entries[0]?.key !== last, "a page begins behind startAfter");
    keys.push(...page.entries.map((entry) => entry.key));
    if (!page.truncated) return keys;
    assert.notEqual(page.entries.length, 0, "a page that is not the last has keys");
  }
}

/** `code` of what a promise is rejected with; null when it is not. */
export async function rejectionCode(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return null;
  } catch (error) {
    return error instanceof Error && "code" in error ? error.code : error;
  }
}
