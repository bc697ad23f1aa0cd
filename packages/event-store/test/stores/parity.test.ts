import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { VerificationError } from "../../src/core/errors.js";
import { GENESIS_HASH } from "../../src/core/event.js";
import { formatHead } from "../../src/core/head-check.js";
import { encodeChain, prepareEvent } from "../../src/core/record.js";
import { MalformedRecord, viewAnySpelling, viewRecord } from "../../src/core/record-view.js";
import { memoryObjects } from "../../src/objects/memory.js";
import { FileEventStore } from "../../src/stores/file/file-event-store.js";
import type { EventStore, ReadOptions } from "../../src/stores/port.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";

const scratch = mkdtempSync(join(tmpdir(), "rynxs-parity-"));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});
let count = 0;

const records = encodeChain(
  Array.from({ length: 10 }, (_, n) => prepareEvent({ type: "T", aggregateId: "a", payload: { n } }, 1, () => n)),
  { seq: -1, hash: GENESIS_HASH },
);
const lines = records.map(({ line }) => line.toString());
const forged = (at: number): string[] => lines.map((line, i) => (i === at ? line.replace('"n":', '"n":1') : line));

async function stores(
  body: readonly string[],
  head?: { seq: number; hash: string },
): Promise<[EventStore, EventStore]> {
  const path = join(scratch, `${String(count++)}.log`);
  const text = body.map((line) => `${line}\n`).join("");
  const objects = memoryObjects();
  writeFileSync(path, text);
  objects.bucket.put("events/0000000000.json", text);
  if (head) {
    writeFileSync(`${path}.head.json`, formatHead(head));
    objects.bucket.put("events/_head.json", formatHead(head));
  }
  return [await FileEventStore.open({ path }), await S3EventStore.open({ objects })];
}

interface Seen {
  seqs: number[];
  error?: unknown[];
}

async function seen(store: EventStore, options: ReadOptions): Promise<Seen> {
  const seqs: number[] = [];
  try {
    for await (const { seq } of store.read(options)) seqs.push(seq);
    return { seqs };
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    return { seqs, error: [error.code, error.seq, error.expected, error.actual] };
  }
}

describe("a batch object and a file of the same lines give one verdict", () => {
  const ranges: ReadOptions[] = [
    {},
    { fromSeq: 5 },
    { fromSeq: 5, toSeq: 6 },
    { toSeq: 6 },
    { fromSeq: 9 },
    { fromSeq: 3, toSeq: 8 },
  ];
  it.each([0, 2, 4, 5, 8, 9])("record %i forged", async (at) => {
    const [file, bucket] = await stores(forged(at));
    for (const range of ranges) {
      const inFile = await seen(file, range);
      expect(await seen(bucket, range), JSON.stringify(range)).toEqual(inFile);
      const { fromSeq = 0, toSeq = 9 } = range;
      const inRange = at >= fromSeq - 1 && at <= toSeq && !(fromSeq === 0 && at < 0);
      expect(inFile.error?.slice(0, 2)).toEqual(inRange ? ["HASH_MISMATCH", at] : undefined);
      expect(inFile.seqs).toEqual(
        Array.from({ length: 10 }, (_, i) => i).filter((i) => i >= fromSeq && i <= toSeq && (!inRange || i < at)),
      );
    }
    for (const fromSeq of [0, 3, 5]) {
      const [a, b] = [await file.verify({ fromSeq }), await bucket.verify({ fromSeq })];
      expect([b.valid, b.events, b.head, b.error?.code, b.error?.seq]).toEqual([
        a.valid,
        a.events,
        a.head,
        a.error?.code,
        a.error?.seq,
      ]);
    }
    for (const seq of [1, 4, 9]) {
      const hash = (store: EventStore): Promise<unknown> =>
        store.getEventHash(seq).catch((error: unknown) => (error as VerificationError).code);
      expect(await hash(bucket)).toBe(await hash(file));
      expect(await hash(bucket)).toBe(seq === at ? "HASH_MISMATCH" : records[seq]?.eventHash);
    }
  });
});

describe("a head that the log contradicts", () => {
  const head = { seq: 9, hash: records[9]?.eventHash ?? "" };
  it("refuses every read that meets the end, and no other; evidence names the real end", async () => {
    for (const store of await stores(lines.slice(0, 6), head)) {
      const actual = `5:${records[5]?.eventHash ?? ""}`;
      for (const range of [
        {},
        { toSeq: 9 },
        { toSeq: 100 },
        { fromSeq: 3, toSeq: 9 },
        { fromSeq: 6 },
        { fromSeq: 8 },
        { fromSeq: 50 },
      ]) {
        const { error } = await seen(store, range).catch((thrown: unknown) => ({ error: [thrown] }));
        expect(error, JSON.stringify(range)).toEqual(["HEAD_CONTRADICTS_LOG", 6, `9:${head.hash}`, actual]);
      }
      expect(await seen(store, { toSeq: 5 })).toEqual({ seqs: [0, 1, 2, 3, 4, 5] });
    }
  });

  it("stays reset though the same writer had a newer one to write", async () => {
    const objects = memoryObjects();
    const store = await S3EventStore.open({ objects });
    for (const n of lines.keys()) await store.append({ type: "T", aggregateId: "a", ts: n });
    for (let seq = 6; seq < 10; seq++) objects.bucket.delete(`events/000000000${String(seq)}.json`);
    expect((await store.resetHead()).after.seq).toBe(5);
    await store.close();
    const again = await S3EventStore.open({ objects: memoryObjects({ bucket: objects.bucket }) });
    expect((await again.head()).seq).toBe(5);
    expect((await again.appendWithRetry({ type: "T", aggregateId: "a" })).seq).toBe(6);
  });
});

describe("both ways of reading a line", () => {
  it("agree on how deep is too deep", () => {
    const judge = (view: (line: Buffer) => unknown, line: Buffer): string => {
      try {
        view(line);
        return "read";
      } catch (error) {
        if (error instanceof MalformedRecord) return "malformed";
        throw error;
      }
    };
    const found = new Set<string>();
    for (let depth = 1995; depth <= 2003; depth++) {
      const payload = `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
      const [record] = lines;
      const line = Buffer.from(record?.replace('{"n":0}', payload) ?? "");
      expect(judge(viewRecord, line), String(depth)).toBe(judge(viewAnySpelling, line));
      found.add(judge(viewRecord, line));
    }
    expect([...found]).toEqual(["read", "malformed"]);
  });
});
