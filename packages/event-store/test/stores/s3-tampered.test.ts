import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { EventStoreError } from "../../src/core/errors.js";
import { memoryObjects } from "../../src/objects/memory.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";
import type { EventStore } from "../../src/stores/port.js";
import { vector, vectorJson, VECTORS } from "../core/vectors.js";

interface Verdict {
  ok: boolean;
  events?: number;
  seq?: number;
  reason?: string;
}
interface Case {
  name: string;
  what: string;
  ops: ({ put: string; body: string } | { delete: string })[];
  correct: { read: Verdict; append: Verdict };
}

const CASES = vectorJson<{ cases: Case[] }>("s3-tampered.json").cases;

type Bucket = ReturnType<typeof memoryObjects>["bucket"];

/** The golden bucket with a case's edits. */
export function tamperedBucket(ops: Case["ops"]): Bucket {
  const { bucket } = memoryObjects();
  for (const name of readdirSync(new URL("s3-layout/events/", VECTORS)))
    bucket.put(`events/${name}`, vector(`s3-layout/events/${name}`), {});
  for (const op of ops) {
    if ("put" in op) bucket.put(op.put, Buffer.from(op.body), {});
    else bucket.delete(op.delete);
  }
  return bucket;
}

const open = (bucket: Bucket): Promise<EventStore> => S3EventStore.open({ objects: memoryObjects({ bucket }) });

async function read(store: EventStore): Promise<{ events: number; error?: EventStoreError }> {
  let events = 0;
  try {
    for await (const { seq } of store.read()) expect(seq).toBe(events++);
    return { events };
  } catch (error) {
    if (error instanceof EventStoreError) return { events, error };
    throw error;
  }
}

function expectVerdict(error: EventStoreError | undefined, verdict: Verdict): void {
  expect(error?.code).toBe(verdict.reason?.toUpperCase().replaceAll("-", "_"));
  if (verdict.seq !== undefined) expect(error?.facts.seq).toBe(verdict.seq);
  expect(error?.facts.expected).toBeDefined();
  expect(error?.facts.actual).toBeDefined();
  if (verdict.reason === "head-contradicts-log") expect(error?.hint).toContain("rynxs head --reset");
}

describe.each(CASES.map((c) => [c.name, c.what, c] as const))(
  "tampered bucket: %s (%s)",
  (_name, _what, { ops, correct }) => {
    it("read, verify and a read of the records give the same verdict", async () => {
      const store = await open(tamperedBucket(ops));
      const { events, error } = await read(store);
      const report = await store.verify();
      expect(report.valid).toBe(correct.read.ok);
      expect(report.error?.code).toBe(error?.code);
      expect(report.events).toBe(events);
      expect(report.error?.seq).toBe(error?.facts.seq);
      if (correct.read.ok) expect(events).toBe(correct.read.events);
      else expectVerdict(error, correct.read);
    });

    it("an append gives the right verdict and seq", async () => {
      const bucket = tamperedBucket(ops);
      const before = [...bucket.keys()];
      const store = await open(bucket);
      const event = { type: "T", aggregateId: "a", payload: {} };
      if (correct.append.ok) {
        const { seq } = await store.appendWithRetry(event);
        expect(seq).toBe(correct.append.seq);
        await store.close();
        // the head exists now and is true
        const head = JSON.parse(bucket.get("events/_head.json")?.body.toString() ?? "null") as { last_seq: number };
        expect(head.last_seq).toBe(seq);
      } else {
        const error = await store.appendWithRetry(event).then(
          () => undefined,
          (thrown: unknown) => thrown as EventStoreError,
        );
        expectVerdict(error, correct.append);
        expect([...bucket.keys()].filter((key) => key !== "events/_probe.json")).toEqual(before);
      }
    });
  },
);

describe("head --reset", () => {
  it.each(CASES.filter((c) => c.correct.append.reason === "head-contradicts-log").map((c) => [c.name, c] as const))(
    "%s: accepts the log as it is",
    async (_name, { ops }) => {
      const bucket = tamperedBucket(ops);
      const store = await open(bucket);
      const { before, after } = await store.resetHead();
      expect(before).not.toEqual(after);
      expect(await store.head()).toEqual(after);
      expect((await store.verify()).valid).toBe(true);
      expect((await store.appendWithRetry({ type: "T", aggregateId: "a" })).seq).toBe(after.seq + 1);
    },
  );
});
