import { describe, expect, it } from "vitest";
import {
  memoryObjects,
  recordTexts,
  S3EventStore,
  systemRuntime,
  type EventStore,
  type ObjectStore,
  type PutOutcome,
  type Runtime,
} from "@rynxs/event-store";
import { Importer } from "../src/import/importer.js";
import { ownEvent } from "../src/import/own-events.js";
import { Source } from "../src/import/source.js";

type Bucket = ReturnType<typeof memoryObjects>["bucket"];
/** What becomes of the write at which a process dies: nothing; it was stored; it is stored when the next process has begun. */
type Fate = "lost" | "stored" | "late";

const LINES = 7;
const EVENTS = Array.from(
  { length: LINES },
  (_, i) => `{"type":"T","aggregate_id":"a","payload":{"i":${String(i)}}}\n`,
);
const WANTED = [...Array(LINES).keys()];

let ids = 0;
const runtime: Runtime = {
  ...systemRuntime,
  now: () => 1_700_000_000_000 + ids++,
  sleep: async () => {},
  id: () => String(ids++).padStart(32, "0"),
};

class Died extends Error {}

/** Objects of a process that dies at its `at`-th write and does nothing after it. `onWrite` comes before each write. */
function mortal(bucket: Bucket, at: number, fate: Fate, onWrite: (n: number) => Promise<void> = async () => {}) {
  const inner = memoryObjects({ bucket });
  let writes = 0;
  let dead = false;
  let late: (() => Promise<unknown>) | undefined;
  const guard =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      if (dead) throw new Died();
      return await call(...args);
    };
  const write = <A extends unknown[]>(call: (...args: A) => Promise<PutOutcome>) =>
    guard(async (...args: A) => {
      writes += 1;
      await onWrite(writes);
      if (writes !== at) return await call(...args);
      dead = true;
      if (fate === "stored") await call(...args);
      if (fate === "late") late = () => call(...args);
      throw new Died();
    });
  const objects: ObjectStore = {
    identity: inner.identity,
    putIfAbsent: write((...args: Parameters<ObjectStore["putIfAbsent"]>) => inner.putIfAbsent(...args)),
    replaceIfMatch: write((...args: Parameters<ObjectStore["replaceIfMatch"]>) => inner.replaceIfMatch(...args)),
    get: guard((...args: Parameters<ObjectStore["get"]>) => inner.get(...args)),
    list: guard((...args: Parameters<ObjectStore["list"]>) => inner.list(...args)),
    delete: async () => {},
    close: async () => {},
  };
  return {
    objects,
    land: async (): Promise<void> => {
      await late?.();
    },
    writes: () => writes,
    died: () => dead,
  };
}

async function open(objects: ObjectStore): Promise<EventStore> {
  return await S3EventStore.open({ objects, skipBackendProof: true, useHead: false, runtime, onWarning: () => {} });
}

async function runImport(objects: ObjectStore, batch: number): Promise<Importer> {
  const store = await open(objects);
  const stop = new AbortController().signal;
  const importer = new Importer(store, {
    name: "x",
    map: "own",
    batch,
    runtime,
    stop,
    abort: stop,
    onProgress: () => {},
  });
  await importer.run(
    new Source(
      (async function* () {
        yield Buffer.from(EVENTS.join(""));
      })(),
      ownEvent,
    ),
  );
  return importer;
}

async function contentOf(bucket: Bucket): Promise<{ imported: number[]; others: number }> {
  const store = await open(memoryObjects({ bucket }));
  expect(await store.verify()).toMatchObject({ valid: true });
  const imported: number[] = [];
  let others = 0;
  for await (const record of store.readRecords()) {
    const { type, payload } = recordTexts(record);
    if (type === "T") imported.push((JSON.parse(payload) as { i: number }).i);
    else others += 1;
  }
  return { imported, others };
}

async function another(bucket: Bucket): Promise<void> {
  await (await open(memoryObjects({ bucket }))).append({ type: "Other", aggregateId: "o" });
}

const FATES: Fate[] = ["lost", "stored", "late"];

describe.each([1, 3])("an import in batches of %d that dies at any write", (batch) => {
  it.each(FATES)("is finished by the next run, each event once and in order (%s)", async (fate) => {
    for (let at = 1; ; at++) {
      const { bucket } = memoryObjects();
      const process = mortal(bucket, at, fate);
      const outcome = await runImport(process.objects, batch).catch((error: unknown) => error);
      if (!process.died()) {
        expect(outcome).toBeInstanceOf(Importer);
        expect(at).toBeGreaterThan(LINES / batch);
        break;
      }
      expect(outcome).toBeInstanceOf(Died);
      const next = mortal(bucket, -1, "lost", async (n) => (n === 1 || n === 2 ? process.land() : undefined));
      await runImport(next.objects, batch).catch(async (error: unknown) => {
        // a late write of the position takes it from the next process, too, which must then run again
        expect(error).toMatchObject({ code: "POSITION_TAKEN" });
        await runImport(memoryObjects({ bucket }), batch);
      });
      expect((await contentOf(bucket)).imported).toEqual(WANTED);
    }
  });

  it.each(FATES)("with another writer before any write of the first or of the next run (%s)", async (fate) => {
    for (let at = 1; at <= 2 * LINES + 2; at++) {
      for (const meddled of [1, 2, 3, at]) {
        const { bucket } = memoryObjects();
        const process = mortal(bucket, at, fate, async (n) => (n === meddled ? another(bucket) : undefined));
        await runImport(process.objects, batch).catch(() => undefined);
        const next = mortal(bucket, -1, "lost", async (n) => {
          if (n === 1) await process.land();
          if (n === meddled) await another(bucket);
        });
        await runImport(next.objects, batch).catch(async (error: unknown) => {
          expect(error).toMatchObject({ code: "POSITION_TAKEN" });
          await runImport(memoryObjects({ bucket }), batch);
        });
        expect((await contentOf(bucket)).imported).toEqual(WANTED);
      }
    }
  });

  it("twice at once under one name, however they take turns, brings each event once", async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const { bucket } = memoryObjects();
      let state = seed;
      const pause = async (): Promise<void> => {
        state = (state * 1103515245 + 12345) % 2147483648;
        for (let i = state % 17; i > 0; i--) await new Promise((resolve) => setImmediate(resolve));
        if (state % 11 === 0) await another(bucket);
      };
      const [a, b] = [mortal(bucket, -1, "lost", pause), mortal(bucket, -1, "lost", pause)];
      const outcomes = await Promise.allSettled([runImport(a.objects, batch), runImport(b.objects, batch)]);
      for (const outcome of outcomes)
        if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "POSITION_TAKEN" });
      await runImport(memoryObjects({ bucket }), batch);
      expect((await contentOf(bucket)).imported).toEqual(WANTED);
    }
  });
});

describe("the position of an import", () => {
  it("is told apart from another's when the answer to a save is lost", async () => {
    const { bucket } = memoryObjects();
    const inner = memoryObjects({ bucket });
    const lossy: ObjectStore = {
      identity: "lossy:",
      putIfAbsent: async (key, body, options) => {
        const outcome = await inner.putIfAbsent(key, body, options);
        return key.includes("_imports/")
          ? { outcome: "unknown", sent: true, cause: new Error("lost") as never }
          : outcome;
      },
      replaceIfMatch: async (key, body, etag, options) => {
        await inner.replaceIfMatch(key, body, etag, options);
        return { outcome: "unknown", sent: true, cause: new Error("lost") as never };
      },
      get: (key, options) => inner.get(key, options),
      list: (options) => inner.list(options),
      delete: (key) => inner.delete(key),
      close: async () => {},
    };
    expect((await runImport(lossy, 3)).imported).toBe(LINES);
    expect((await contentOf(bucket)).imported).toEqual(WANTED);
  });

  it("that cannot be understood is refused, and nothing is imported", async () => {
    const { bucket } = memoryObjects();
    await memoryObjects({ bucket }).putIfAbsent("events/_imports/x.json", Buffer.from('{"version":1,"lines":3}'));
    await expect(runImport(memoryObjects({ bucket }), 3)).rejects.toMatchObject({ code: "INVALID_CONFIG" });
    expect((await contentOf(bucket)).imported).toEqual([]);
  });
});
