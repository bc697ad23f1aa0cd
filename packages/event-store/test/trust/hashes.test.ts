import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { FileEventStore, type EventStore, type VerifyOptions } from "../../src/index.js";
import { CompactRange, recordLeaf } from "../../src/trust/index.js";
import { HashStack } from "../../src/trust/merkle/hash-stack.js";
import { TreeBeside } from "../../src/trust/verify/tree-thread.js";
// Threads run what was built.
import * as built from "../../dist/trust/verify/tree-thread.js";
import { grow, openLog } from "./logs.js";

const folder = await mkdtemp(join(tmpdir(), "rynxs-hashes-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

async function told(store: EventStore, options: VerifyOptions = {}): Promise<string[]> {
  const hashes: string[] = [];
  const report = await store.verify({
    ...options,
    onHashes: async (some) => {
      // The walk waits; the bytes stay what they are.
      await new Promise(setImmediate);
      for (let at = 0; at < some.length; at += 32) hashes.push(some.toString("hex", at, at + 32));
    },
  });
  expect(report).toMatchObject({ valid: true, events: hashes.length });
  return hashes;
}

async function read(store: EventStore, fromSeq = 0): Promise<string[]> {
  const hashes: string[] = [];
  for await (const { eventHash } of store.readRecords({ fromSeq })) hashes.push(eventHash);
  return hashes;
}

describe("verify tells the hashes of all records", () => {
  it("of a bucket: objects, batches, segments, and from the middle", async () => {
    const { store } = await openLog();
    await grow(store, 12_345);
    for (let i = 0; i < 5; i++) await store.append({ type: "T", aggregateId: "a" });
    await store.compact();
    const hashes = await read(store);
    for (const segments of [false, true]) {
      expect(await told(store, { segments })).toEqual(hashes);
      expect(await told(store, { segments, pointers: true })).toEqual(hashes);
      for (const fromSeq of [1, 999, 1000, 9_999, 10_000, 12_344, 12_349]) {
        const anchor = { seq: fromSeq - 1, hash: hashes[fromSeq - 1] ?? "" };
        expect(await told(store, { segments, fromSeq, anchor }), String(fromSeq)).toEqual(hashes.slice(fromSeq));
        expect(await told(store, { segments, fromSeq })).toEqual(hashes.slice(fromSeq));
      }
    }
  });

  it("of a file: rotated, compressed, and from the middle", async () => {
    const store = await FileEventStore.open({ path: join(folder, "a.log"), maxBytes: 200_000 });
    await grow(store, 3000);
    const hashes = await read(store);
    for (const compressed of [false, true]) {
      if (compressed) await store.compact();
      expect(await told(store)).toEqual(hashes);
      for (const fromSeq of [1, 700, 1000, 2999, 3000]) {
        const anchor = { seq: fromSeq - 1, hash: hashes[fromSeq - 1] ?? "" };
        expect(await told(store, { fromSeq, anchor })).toEqual(hashes.slice(fromSeq));
      }
    }
    await store.close();
  });
});

describe("a stack of hashes", () => {
  it("is the tree, from wherever it goes on", () => {
    const data = (i: number): Buffer => Buffer.alloc(32, i);
    const range = CompactRange.empty();
    const stack = new HashStack();
    for (let size = 0; size < 600; size++) {
      expect(stack.root()).toEqual(range.root());
      expect(stack.roots).toEqual(range.roots);
      const resumed = new HashStack(size, range.roots);
      resumed.append(data(size), 0);
      range.append(recordLeaf(data(size).toString("hex")));
      stack.append(Buffer.concat([Buffer.alloc(3), data(size)]), 3);
      expect(resumed.root()).toEqual(range.root());
    }
    expect(() => new HashStack(3, [])).toThrow(RangeError);
  });
});

describe("a tree beside a walk", () => {
  const BEGIN = { size: 0, roots: [], head: "0".repeat(64) };
  const SIZES = [0, 1, 40_000, 100_000, 149_999, 150_000];
  const runs = Array.from({ length: 150 }, (_, run) => {
    return Buffer.concat(Array.from({ length: 1000 }, (_, i) => Buffer.alloc(32, `${String(run)} ${String(i)} `)));
  });
  const fed = async (tree: TreeBeside): Promise<ReturnType<TreeBeside["passed"]>> => {
    for (const run of runs) await tree.append(Buffer.from(run));
    const passed = await tree.passed();
    await tree.close();
    return passed;
  };

  it("is the same in a thread, and without", async () => {
    const alone = await fed(new TreeBeside(BEGIN, SIZES, null));
    expect([...(alone?.keys() ?? [])]).toEqual(SIZES);
    expect(alone?.get(1)?.head).toBe(runs[0]?.toString("hex", 0, 32));
    expect(alone?.get(150_000)?.head).toBe(runs[149]?.toString("hex", 999 * 32));
    expect(await fed(new built.TreeBeside(BEGIN, SIZES) as unknown as TreeBeside)).toEqual(alone);
  });

  it("is not known when its thread broke", async () => {
    let asked = 0;
    const broken = (): { waiting: number; ask: () => Promise<null>; close: () => Promise<void> } => ({
      waiting: 0,
      ask: () => {
        asked++;
        return Promise.resolve(null);
      },
      close: () => Promise.resolve(),
    });
    expect(await fed(new TreeBeside(BEGIN, SIZES, broken))).toBeNull();
    expect(asked).toBeGreaterThan(10);
  });
});
