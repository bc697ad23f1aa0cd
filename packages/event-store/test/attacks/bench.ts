import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe } from "vitest";
import { GENESIS_HASH, type Head, type StoredRecord } from "../../src/core/event.js";
import { encodeChain, prepareEvent } from "../../src/core/record.js";
import type { ObjectStore } from "../../src/objects/port.js";
import { openS3Objects } from "../../src/objects/s3/index.js";
import type { EventStore } from "../../src/stores/port.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";
import { startS3Emulator, type S3Emulator } from "../../src/testing/s3-emulator/index.js";

export interface Server {
  readonly endpoint: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const env = (name: string): string => process.env[name] ?? "";
const real: Server = {
  endpoint: env("RYNXS_TEST_S3_ENDPOINT"),
  bucket: env("RYNXS_TEST_S3_BUCKET"),
  accessKeyId: env("AWS_ACCESS_KEY_ID"),
  secretAccessKey: env("AWS_SECRET_ACCESS_KEY"),
};

/** The same attacks on the emulator and, where the tests have one, on the real server. */
export function onServers(suite: (server: () => Server) => void): void {
  describe("S3 emulator", () => {
    let emulator: S3Emulator;
    beforeAll(async () => {
      emulator = await startS3Emulator();
    });
    afterAll(() => emulator.close());
    suite(() => ({
      endpoint: emulator.endpoint,
      bucket: "events",
      accessKeyId: "test",
      secretAccessKey: "testsecret",
    }));
  });
  describe.runIf(real.endpoint !== "")("real server: attacks", () => {
    suite(() => real);
  });
}

/** A log, and whoever may write everything in its bucket. */
export class Victim {
  readonly server: Server;
  readonly prefix: string;
  readonly objects: ObjectStore;

  constructor(server: Server, prefix = `attacks/${randomUUID()}`) {
    this.server = server;
    this.prefix = prefix;
    this.objects = openS3Objects(server);
  }

  /** As whoever reads it opens it: anew, with nothing remembered. */
  open(): Promise<EventStore> {
    return S3EventStore.open({ ...this.server, prefix: this.prefix, onWarning: () => undefined });
  }

  async use<T>(work: (store: EventStore) => Promise<T>): Promise<T> {
    const store = await this.open();
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  }

  /** Appends events whose payloads tell their numbers. */
  async fill(count: number): Promise<Head> {
    return this.use(async (store) => {
      const { seq } = await store.head();
      for (let n = seq + 1; n <= seq + count; n++) await store.append(payment(n, 100 + n));
      return store.head();
    });
  }

  key(name: number | string): string {
    return `${this.prefix}/${typeof name === "number" ? `${String(name).padStart(10, "0")}.json` : name}`;
  }

  async get(name: number | string): Promise<string | null> {
    return (await this.objects.get(this.key(name)))?.body.toString() ?? null;
  }

  /** Whatever was there. */
  async put(name: number | string, text: string | Uint8Array): Promise<void> {
    await this.objects.delete(this.key(name));
    const { outcome } = await this.objects.putIfAbsent(this.key(name), Buffer.from(text));
    if (outcome !== "stored") throw new Error(`${this.key(name)}: ${outcome}`);
  }

  async delete(name: number | string): Promise<void> {
    await this.objects.delete(this.key(name));
  }

  /** Rewrites every event from `seq` on, with all hashes put right, and the head too: no part of the chain tells. */
  async rewrite(seq: number, amount: number): Promise<Head> {
    const records = await this.use(async (store) => {
      const all: StoredRecord[] = [];
      for await (const record of store.readRecords()) all.push(record);
      return all;
    });
    const before = records[seq - 1];
    const forged = encodeChain(
      records.slice(seq).map((record, i) => {
        const { event } = JSON.parse(record.line.toString()) as { event: { ts: number } };
        return prepareEvent({ ...payment(seq + i, i === 0 ? amount : 100 + seq + i), ts: event.ts }, 1, Date.now);
      }),
      { seq: seq - 1, hash: before?.eventHash ?? GENESIS_HASH },
    );
    for (const [i, { line }] of forged.entries()) await this.put(seq + i, line);
    const last = forged.at(-1);
    if (!last) throw new Error("nothing was rewritten");
    await this.putHead({ seq: last.seq, hash: last.eventHash });
    return { seq: last.seq, hash: last.eventHash };
  }

  async putHead({ seq, hash }: Head): Promise<void> {
    await this.put("_head.json", JSON.stringify({ last_hash: hash, last_seq: seq }));
  }

  /** Every object under the prefix, as it is now. */
  async copy(): Promise<ReadonlyMap<string, Buffer>> {
    const all = new Map<string, Buffer>();
    for (let startAfter = ""; ;) {
      const page = await this.objects.list({ prefix: `${this.prefix}/`, ...(startAfter !== "" && { startAfter }) });
      for (const { key } of page.entries) {
        const object = await this.objects.get(key);
        if (object) all.set(key.slice(this.prefix.length + 1), object.body);
        startAfter = key;
      }
      if (!page.truncated) return all;
    }
  }

  /** Exactly these objects, and no others. */
  async restore(objects: ReadonlyMap<string, Buffer>): Promise<void> {
    for (const name of (await this.copy()).keys()) if (!objects.has(name)) await this.delete(name);
    for (const [name, body] of objects) await this.put(name, body);
  }

  close(): Promise<void> {
    return this.objects.close();
  }
}

export function payment(
  n: number,
  amount: number,
): { type: string; aggregateId: string; payload: { n: number; amount: number } } {
  return { type: "PaymentSent", aggregateId: `account-${String(n % 3)}`, payload: { n, amount } };
}

/** What a full read ends with: `valid`, or the error's code and seq. */
export async function verdictOfRead(victim: Victim): Promise<string> {
  return victim.use(async (store) => {
    try {
      for await (const { seq } of store.readRecords()) if (seq < 0) break;
      return "valid";
    } catch (error) {
      return codeOf(error);
    }
  });
}

export async function verdictOfVerify(victim: Victim, expectedHead?: Head): Promise<string> {
  const report = await victim.use((store) => store.verify({ expectedHead }));
  return report.valid ? "valid" : codeOf(report.error);
}

export async function verdictOfAppend(victim: Victim): Promise<string> {
  return victim.use(async (store) => {
    try {
      await store.append(payment(0, 0));
      return "appended";
    } catch (error) {
      return codeOf(error);
    }
  });
}

export function codeOf(error: unknown): string {
  const { code, seq } = error as { code?: string; seq?: number };
  return `${code ?? String(error)}${seq === undefined ? "" : ` at ${String(seq)}`}`;
}
