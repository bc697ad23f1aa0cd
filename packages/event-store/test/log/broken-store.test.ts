import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { encodeChain, prepareEvent } from "../../src/core/record.js";
import { GENESIS_HASH, type Head, type NewEvent, type StoredRecord } from "../../src/core/event.js";
import { formatHead, parseHead } from "../../src/core/head-check.js";
import type { ObjectStore, PutOutcome } from "../../src/objects/port.js";
import { checkHistory } from "../../src/testing/history-checker.js";
import { FAULTS, startS3Emulator, type S3Emulator } from "../../src/testing/s3-emulator/index.js";
import { event, failure, FaultBench } from "./fault-bench.js";
import { overriding } from "./overriding.js";

/* Stores broken on purpose: what keeps the real one right is taken out, and the checker, or `verify`, must say so. */

let emulator: S3Emulator;
let bench: FaultBench;
beforeAll(async () => {
  emulator = await startS3Emulator();
});
afterEach(() => bench.close());
afterAll(() => emulator.close());

/** What is in the bucket, whatever it is. */
function lines(): { line: Buffer }[] {
  const names = bench.names().filter((name) => !name.startsWith("_"));
  return names.map((name) => ({
    line: bench.emulator.objects("events").get(`${bench.prefix}/${name}`)?.body ?? Buffer.alloc(0),
  }));
}

async function violations(): Promise<string> {
  return (await checkHistory(bench.history, lines())).join("\n");
}

/** The verdict of a sound store on the log. */
async function verdict(): Promise<string | undefined> {
  bench.emulator.faults.clear();
  return (await (await bench.open({ useHead: true })).verify()).error?.code;
}

describe("without the put-id check", () => {
  /** Every object that is already there looks like another's. */
  const blind = (objects: ObjectStore): ObjectStore =>
    overriding(objects, {
      get: async (key, options) => {
        const found = await objects.get(key, options);
        return found && { ...found, metadata: { "put-id": "somebody" } };
      },
    });

  it.each([FAULTS.dropAnswer, FAULTS.conflictAfterCommit, FAULTS.twice].map((fault) => [fault.name, fault] as const))(
    "the event is stored twice: %s",
    async (_, fault) => {
      bench = new FaultBench(emulator);
      const store = await bench.open({ between: blind });
      await store.append(event(0));
      bench.faultOnEvents(fault);
      expect(await store.append(event(1))).toMatchObject({ committed: true, seq: 2 });
      expect(await violations()).toMatch(/^seq 1 should not be there \(append 1 committed at seq 2\)/);
      expect(await verdict()).toBeUndefined();
    },
  );

  it("its own write is a conflict", async () => {
    bench = new FaultBench(emulator);
    const store = await bench.open({ between: blind });
    bench.faultOnEvents(FAULTS.dropAnswer);
    expect(await store.append(event(0), { expectedPrevHash: GENESIS_HASH })).toMatchObject({ conflict: true });
    expect(await violations()).toMatch(/^seq 0 should not be there \(append 0 ended as conflict\)/);
  });

  it("with the bytes compared instead, two writers of the same event are both acknowledged one record", async () => {
    bench = new FaultBench(emulator);
    const trusting = (objects: ObjectStore): ObjectStore => {
      let mine: { body: Uint8Array; id: string } | null = null;
      return overriding(objects, {
        putIfAbsent: (key, body, options) => {
          mine = { body, id: options?.metadata?.["put-id"] ?? "" };
          return objects.putIfAbsent(key, body, options);
        },
        get: async (key, options) => {
          const found = await objects.get(key, options);
          return found && mine && found.body.equals(mine.body) ? { ...found, metadata: { "put-id": mine.id } } : found;
        },
      });
    };
    const [a, b] = [await bench.open(), await bench.open({ between: trusting })];
    await a.append(event(0));
    await b.head();
    const stale = await bench.open({ between: (objects) => trusting(hiding(objects, bench.keys.event(1))) });
    const [first, second] = [stale.append(event(1)), a.append(event(1))];
    expect([await first, await second]).toMatchObject([{ seq: 1 }, { seq: 1 }]);
    expect(await violations()).toMatch(/were both acknowledged at seq 1/);
  });
});

describe("with the head trusted", () => {
  /** Appends behind whatever the head says. */
  async function appendBehindHead(objects: ObjectStore, what: NewEvent): Promise<void> {
    const head = parseHead((await objects.get(bench.keys.head))?.body ?? Buffer.alloc(0)) ?? {
      seq: -1,
      hash: GENESIS_HASH,
    };
    await put(objects, [what], head);
  }

  async function logWithHead(tamper: (head: Head) => Head): Promise<void> {
    bench = new FaultBench(emulator);
    const writer = await bench.open();
    for (const n of [0, 1, 2]) await writer.append(event(n));
    emulator.objects("events").put(bench.keys.head, formatHead(tamper(await writer.head())));
  }

  it.each<[string, (head: Head) => Head, string]>([
    ["a head beyond the end", ({ hash }) => ({ seq: 7, hash }), "GAP"],
    ["a head with another hash", ({ seq }) => ({ seq, hash: "e".repeat(64) }), "CHAIN_BROKEN"],
  ])("%s: the log is broken behind it", async (_, tamper, code) => {
    await logWithHead(tamper);
    await appendBehindHead(bench.driver(), event(3));
    expect(await violations()).toMatch(/seq 3: (the record there says seq 8|it does not link)/);
    expect(await verdict()).toBe(code);
  });

  it.each<[string, (head: Head) => Head]>([
    ["a head beyond the end", ({ hash }) => ({ seq: 7, hash })],
    ["a head with another hash", ({ seq }) => ({ seq, hash: "e".repeat(64) })],
  ])("%s: the sound store refuses, and writes nothing", async (_, tamper) => {
    await logWithHead(tamper);
    const store = await bench.open({ useHead: true });
    expect(await failure(store.append(event(3)))).toMatchObject({ code: "HEAD_CONTRADICTS_LOG", action: "evidence" });
    expect(await violations()).toBe("");
    expect(await verdict()).toBe("HEAD_CONTRADICTS_LOG");
  });

  it("an old head is taken for the end of a read: acknowledged records are missing", async () => {
    await logWithHead((head) => head);
    const read = bench.history.read();
    for (const record of lines().slice(0, 2)) {
      const { event_hash: hash } = JSON.parse(record.line.toString()) as { event_hash: string };
      read.saw(read.seen.length, hash);
    }
    read.end();
    expect(await violations()).toBe("read 1 ended at seq 1, but seq 2 had been told before it began");
  });
});

describe("with pipelined puts", () => {
  it("what was written behind a lost race is poison", async () => {
    bench = new FaultBench(emulator);
    const rival = await bench.open();
    await rival.append(event(0));
    const tail = await rival.head();
    await rival.append(event(1));
    // The next two seqs at once, the second before the first one's answer.
    await put(bench.driver(), [event(2), event(3)], tail);
    expect(bench.history.appends.map(({ outcome }) => outcome.kind)).toEqual([
      "committed",
      "committed",
      "failed",
      "committed",
    ]);
    expect(await violations()).toMatch(/^seq 2: it does not link to the record before it$/m);
    expect(await verdict()).toBe("CHAIN_BROKEN");
  });
});

describe("with an unknown answer read as not written", () => {
  const hasty = (objects: ObjectStore): ObjectStore =>
    overriding(objects, {
      putIfAbsent: async (...args): Promise<PutOutcome> => {
        const answer = await objects.putIfAbsent(...args);
        if (answer.outcome === "unknown") throw answer.cause;
        return answer;
      },
    });

  it.each(
    [FAULTS.conflictAfterCommit, FAULTS.dropAnswer, FAULTS.internalErrorAfterCommit, FAULTS.hangAfterCommit].map(
      (fault) => [fault.name, fault] as const,
    ),
  )("a failed append is in the log: %s", async (_, fault) => {
    bench = new FaultBench(emulator, { impatient: true });
    const store = await bench.open({ between: hasty });
    await store.append(event(0));
    bench.faultOnEvents(fault);
    expect(await failure(store.append(event(1)))).toMatchObject({ code: "UNAVAILABLE" });
    expect(await violations()).toMatch(/^seq 1 should not be there \(append 1 ended as failed\)/);
  });

  it("and its caller, who tries again, has it there twice", async () => {
    bench = new FaultBench(emulator);
    const store = await bench.open({ between: hasty });
    bench.faultOnEvents(FAULTS.conflictAfterCommit);
    await failure(store.append(event(0)));
    await store.append(event(0));
    expect(await violations()).toMatch(
      /^seq 0 should not be there \(append 0 ended as failed; append 1 committed at seq 1\)/,
    );
  });

  it("a missing object is no proof either: the put lands late", async () => {
    bench = new FaultBench(emulator);
    const looking = (objects: ObjectStore): ObjectStore =>
      overriding(objects, {
        putIfAbsent: async (key, body, options): Promise<PutOutcome> => {
          const answer = await objects.putIfAbsent(key, body, options);
          if (answer.outcome === "unknown" && (await objects.get(key)) === null) throw answer.cause;
          return answer;
        },
      });
    const store = await bench.open({ between: looking });
    bench.faultOnEvents(FAULTS.applyLate);
    await failure(store.append(event(0)));
    expect(await violations()).toBe("");
    emulator.releaseLate();
    expect(await violations()).toMatch(/^seq 0 should not be there \(append 0 ended as failed\)/);
  });
});

describe("on a backend that is not what it should be", () => {
  it("one that overwrites: an acknowledged record is lost", async () => {
    const unsafe = await startS3Emulator({ ignoreIfNoneMatch: true });
    try {
      bench = new FaultBench(unsafe);
      const [a, b] = [await bench.open(), await bench.open()];
      await Promise.all([a.head(), b.head()]);
      await a.append(event(0));
      const late = await bench.open({ between: (objects) => hiding(objects, bench.keys.event(0)) });
      await late.append(event(1));
      expect(await violations()).toMatch(/append 0 was acknowledged at seq 0 with hash \w+, but the log has/);
    } finally {
      await unsafe.close();
    }
  });

  it("one that acknowledges what it has not stored", async () => {
    bench = new FaultBench(emulator);
    const store = await bench.open({
      between: (objects) => overriding(objects, { putIfAbsent: async () => ({ outcome: "stored", etag: '"x"' }) }),
    });
    await store.append(event(0));
    expect(await violations()).toBe("append 0 was acknowledged at seq 0, but the log ends before");
  });

  it("one whose listings lag: a read ends too soon", async () => {
    bench = new FaultBench(emulator);
    const store = await bench.open();
    for (const n of [0, 1]) await store.append(event(n));
    const reader = await bench.open({ between: (objects) => hiding(objects, bench.keys.event(1)) });
    for await (const { seq } of reader.read()) expect(seq).toBe(0);
    expect(await violations()).toBe("read 0 ended at seq 0, but seq 1 had been told before it began");
  });
});

/** Listings without this key. */
function hiding(objects: ObjectStore, hidden: string): ObjectStore {
  return overriding(objects, {
    list: async (options) => {
      const page = await objects.list(options);
      return { ...page, entries: page.entries.filter(({ key }) => key !== hidden) };
    },
  });
}

/** Puts each event under a key of its own behind `tail`, all at once, and writes down what it was told. */
async function put(objects: ObjectStore, events: readonly NewEvent[], tail: Head): Promise<void> {
  const prepared = events.map((what) => prepareEvent(what, 1, () => 0));
  const records: StoredRecord[] = encodeChain(prepared, tail);
  const invocations = events.map((what) => bench.history.invoke([what]));
  const answers = await Promise.all(records.map(({ seq, line }) => objects.putIfAbsent(bench.keys.event(seq), line)));
  for (const [i, { outcome }] of answers.entries()) {
    const record = records[i];
    if (outcome === "stored" && record) invocations[i]?.committed(record);
    else invocations[i]?.failed();
  }
}
