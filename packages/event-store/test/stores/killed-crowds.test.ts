import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RecordedEvent } from "../../src/core/event.js";
import { openS3Objects } from "../../src/objects/s3/index.js";
import type { EventStore } from "../../src/stores/port.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";
import { startS3Emulator, type S3Emulator } from "../../src/testing/s3-emulator/index.js";
import { SeededRandom } from "../log/random.js";
import { ScratchLog } from "./file/scratch.js";

/* Processes with 64 callers each, killed at any moment: on a file, and on a bucket in batch mode. */

const SCRIPT = fileURLToPath(new URL("crowd-writer.mjs", import.meta.url));
const CALLERS = 64;

interface Acknowledged {
  readonly who: string;
  readonly n: number;
  readonly size: number;
  readonly seq: number;
  readonly hash: string;
}

class Crowd {
  readonly ended: Promise<unknown>;
  readonly #child: ChildProcess;
  #said = "";
  #errors = "";

  constructor(options: object) {
    const child = spawn(process.execPath, [SCRIPT, JSON.stringify({ callers: CALLERS, ...options })], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    child.stdout.setEncoding("utf8").on("data", (text: string) => (this.#said += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.#errors += text));
    this.ended = new Promise((resolve) =>
      child.on("close", (code, signal) => resolve(signal ?? `${code} ${this.#errors}`)),
    );
  }

  /** Its first acknowledged append, or its end. */
  async begun(): Promise<void> {
    await Promise.race([new Promise((resolve) => this.#child.stdout?.once("data", resolve)), this.ended]);
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    expect(await this.ended).toBe("SIGKILL");
  }

  /** A line that was cut off by death says too little. */
  get acknowledged(): Acknowledged[] {
    const lines = this.#said.split("\n").slice(0, -1);
    return lines.map((line) => {
      const [who = "", n, size, seq, hash = ""] = line.split(" ");
      return { who, n: Number(n), size: Number(size), seq: Number(seq), hash };
    });
  }
}

/** All that was acknowledged is there, no part of an append is, and each caller's appends are there once, in order. */
function expectWhole(events: readonly RecordedEvent[], crowds: readonly Crowd[]): void {
  for (const { who, n, size, seq, hash } of crowds.flatMap(({ acknowledged }) => acknowledged)) {
    expect([
      events[seq]?.aggregateId,
      events[seq]?.payload["n"],
      events[seq]?.payload["size"],
      events[seq]?.eventHash,
    ]).toEqual([who, n, size, hash]);
  }
  const next = new Map<string, number>();
  for (let seq = 0; seq < events.length;) {
    const { aggregateId = "", payload = {} } = events[seq] ?? {};
    const { n, size } = payload as { n: number; size: number };
    for (let i = 0; i < size; i++) {
      const event = events[seq + i];
      expect([event?.aggregateId, event?.payload["n"], event?.payload["i"]], `append at ${seq}`).toEqual([
        aggregateId,
        n,
        i,
      ]);
    }
    expect(n, `of ${aggregateId}`).toBe(next.get(aggregateId) ?? 0);
    next.set(aggregateId, n + 1);
    seq += size;
  }
}

async function collect(store: EventStore): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for await (const event of store.read()) events.push(event);
  return events;
}

const restart = { type: "T", aggregateId: "restart", payload: { n: 0, i: 0, size: 1 } };

/** A crowd that is killed at some moment of its work, while another one comes up, works on, and is killed, too. */
async function killTwo(options: object, round: number, random: SeededRandom): Promise<Crowd[]> {
  const first = new Crowd({ name: `${round}.0`, ...options });
  await first.begun();
  const second = new Crowd({ name: `${round}.1`, ...options });
  await new Promise((resolve) => setTimeout(resolve, random.below(200)));
  await first.kill();
  await second.begun();
  await new Promise((resolve) => setTimeout(resolve, random.below(60)));
  await second.kill();
  return [first, second];
}

describe("a file", () => {
  it.each([
    ["without rotation", {}],
    ["with rotation", { maxBytes: 100_000 }],
  ])(
    "%s: what was acknowledged is there, no part of an append is, and the log goes on",
    async (_, options) => {
      const random = new SeededRandom(1);
      const log = new ScratchLog();
      const dead: Crowd[] = [];
      for (let round = 0; round < 3; round++) {
        dead.push(...(await killTwo({ path: log.path, ...options }, round, random)));
        await log.with(async (store) => {
          // Whoever reads before a writer came does not see a part of an append either.
          const { error, events } = await store.verify();
          expect([undefined, "TORN_TAIL"]).toContain(error?.code);
          const before: RecordedEvent[] = [];
          for await (const event of store.read({ toSeq: Math.max(0, events - 1) })) before.push(event);
          expectWhole(before, dead);
          await store.append({ ...restart, aggregateId: `restart ${round}` });
          expect(await store.verify()).toMatchObject({ valid: true, events: events + 1 });
          expectWhole(await collect(store), dead);
        }, options);
      }
      expect(dead.every(({ acknowledged }) => acknowledged.length > 0)).toBe(true);
    },
    60_000,
  );
});

describe("a file whose writer dies within a write of many appends", () => {
  const random = new SeededRandom(3);
  it.each(Array.from({ length: 12 }, () => 1 + random.below(45_000)))(
    "%i bytes on: no part of an append is seen, by readers or by the next writer",
    async (bytes) => {
      const log = new ScratchLog();
      const dead = new Crowd({ name: "w", path: log.path, dieAfterBytes: bytes });
      expect(await dead.ended).toBe("SIGKILL");
      expect(log.bytes()).toHaveLength(bytes);
      const before = await log.with(async (store) => {
        const { error, events } = await store.verify();
        // Where a write ends with a line of single appends, nothing shows that there was more.
        expect([undefined, "TORN_TAIL"]).toContain(error?.code);
        const seen: RecordedEvent[] = [];
        if (events > 0) for await (const event of store.read({ toSeq: events - 1 })) seen.push(event);
        expectWhole(seen, [dead]);
        return seen;
      });
      await log.with(async (store) => {
        expect(await store.append(restart)).toMatchObject({ seq: before.length });
        expectWhole(await collect(store), [dead]);
        expect((await store.verify()).error).toBeUndefined();
      });
      // What was set aside, and nothing else, is not in the log any more.
      expect(Buffer.concat([log.bytes(), ...log.asides()]).length).toBeGreaterThanOrEqual(bytes);
    },
  );
});

describe("a bucket in batch mode", () => {
  let emulator: S3Emulator;
  beforeAll(async () => {
    emulator = await startS3Emulator({ latencyMs: 1 });
  });
  afterAll(() => emulator.close());

  it("what was acknowledged is there, no part of an append is, the log verifies at once and goes on", async () => {
    const random = new SeededRandom(2);
    const { endpoint, credentials } = emulator;
    const dead: Crowd[] = [];
    let shared = 0;
    for (let round = 0; round < 3; round++) {
      dead.push(...(await killTwo({ endpoint, prefix: "log" }, round, random)));
      const objects = openS3Objects({ bucket: "events", endpoint, credentials });
      const store = await S3EventStore.open({ objects, prefix: "log", batch: true });
      expect((await store.verify()).error).toBeUndefined();
      await store.append({ ...restart, aggregateId: `restart ${round}` });
      expect((await store.verify()).error).toBeUndefined();
      const events = await collect(store);
      expectWhole(events, dead);
      await store.close();
      shared = events.length - emulator.objects("events").keys("log/0").length;
    }
    expect(dead.every(({ acknowledged }) => acknowledged.length > 0)).toBe(true);
    expect(shared).toBeGreaterThan(CALLERS);
  }, 60_000);
});
