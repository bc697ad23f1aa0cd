import { expect } from "vitest";
import { parseHead } from "../../src/core/head-check.js";
import type { NewEvent, StoredRecord } from "../../src/core/event.js";
import { EventStoreError } from "../../src/core/errors.js";
import { LogKeys } from "../../src/log/keys.js";
import type { ObjectStore } from "../../src/objects/port.js";
import { openS3Objects } from "../../src/objects/s3/index.js";
import type { EventStore } from "../../src/stores/port.js";
import { S3EventStore, type ObjectLogOptions } from "../../src/stores/s3-event-store.js";
import type { Runtime } from "../../src/system/runtime.js";
import { checkHistory } from "../../src/testing/history-checker.js";
import { History } from "../../src/testing/history.js";
import { recorded } from "../../src/testing/recorded-store.js";
import type { Fault, FaultWhen, LoggedRequest, S3Emulator } from "../../src/testing/s3-emulator/index.js";

/** A runtime whose sleeps pass at once and only move its clock; `sleeps` tells how long they would have been. */
export class QuickRuntime implements Runtime {
  readonly sleeps: number[] = [];
  /** Happens once, during the next sleep. */
  during: (() => Promise<unknown>) | null = null;
  readonly #ids: () => string;
  readonly #chance: () => number;
  #elapsed = 0;

  constructor(ids: () => string, chance: () => number = () => 0.5) {
    this.#ids = ids;
    this.#chance = chance;
  }

  now = (): number => 1_700_000_000_000;
  elapsed = (): number => this.#elapsed;
  random = (): number => this.#chance();
  id = (): string => this.#ids();

  async sleep(ms: number): Promise<void> {
    this.sleeps.push(ms);
    this.#elapsed += ms;
    const { during } = this;
    this.during = null;
    await (during?.() ?? new Promise((resolve) => setImmediate(resolve)));
  }
}

/** Faults that end only with the client's time-out need a short one; all else has time, so that a busy machine changes nothing. */
export function isSlow({ answer, delayMs }: Fault): boolean {
  return answer === "none" || delayMs !== undefined;
}

export type OpenOptions = Omit<ObjectLogOptions, "prefix" | "runtime"> & {
  readonly runtime?: Runtime;
  /** Puts something between the store and its driver. */
  readonly between?: (objects: ObjectStore) => ObjectStore;
};

let logs = 0;

/** One empty log on an emulated server, opened any number of times, with everything its stores do and are told written down. */
export class FaultBench {
  readonly emulator: S3Emulator;
  readonly prefix = `log-${String(logs++)}`;
  readonly keys = new LogKeys(this.prefix);
  readonly history = new History();
  /** What every key of an event of this log matches, and no other. */
  readonly eventKey = new RegExp(`^${this.prefix}/[0-9]{10}\\.json$`);
  readonly #drivers: ObjectStore[] = [];
  readonly #answerTimeoutMs: number;
  #ids = 0;
  #closed = false;

  constructor(emulator: S3Emulator, options: { impatient?: boolean } = {}) {
    this.emulator = emulator;
    this.#answerTimeoutMs = options.impatient ? 60 : 10_000;
    emulator.faults.clear();
    emulator.requests.length = 0;
  }

  newId = (): string => `${this.prefix}-${String(this.#ids++)}`;
  runtime = (): QuickRuntime => new QuickRuntime(this.newId);

  driver(chance?: () => number): ObjectStore {
    let elapsed = 0;
    const objects = openS3Objects({
      bucket: "events",
      endpoint: this.emulator.endpoint,
      credentials: this.emulator.credentials,
      answerTimeoutMs: this.#answerTimeoutMs,
      bodyTimeoutMs: this.#answerTimeoutMs,
      random: chance ?? (() => 0.5),
      monotonic: () => elapsed,
      sleep: async (ms) => {
        elapsed += ms;
        await new Promise((resolve) => setImmediate(resolve));
      },
    });
    this.#drivers.push(objects);
    return objects;
  }

  /** Another store on the log, as another process would have it. Off by default: what is not the case's subject. */
  async open({ between = (objects) => objects, ...options }: OpenOptions = {}): Promise<EventStore> {
    const store = await S3EventStore.open({
      useHead: false,
      skipBackendProof: true,
      skipBucketCheck: true,
      ...options,
      objects: between(this.driver()),
      prefix: this.prefix,
      runtime: options.runtime ?? this.runtime(),
    });
    return recorded(store, this.history);
  }

  fault(fault: Fault, when: FaultWhen): void {
    this.emulator.faults.add({ when, do: fault });
  }

  faultOnEvents(fault: Fault, when: FaultWhen = {}): void {
    this.fault(fault, { method: "PUT", key: this.eventKey, ...when });
  }

  /** No more faults; every rule must have happened. */
  heal(): void {
    this.emulator.faults.assertAllUsed();
    this.emulator.faults.clear();
  }

  /** Resolves when a request like that has arrived. */
  async arrived(like: (request: LoggedRequest) => boolean): Promise<void> {
    while (!this.emulator.requests.some(like)) {
      if (this.#closed) throw new Error("the request never arrived");
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Keys in the bucket, without the prefix. */
  names(): string[] {
    return this.emulator
      .objects("events")
      .keys(`${this.prefix}/`)
      .map((key) => key.slice(this.prefix.length + 1));
  }

  /** The log as it is: verified, compared with the history, its objects counted, its head compared. Returns its records. */
  async check(): Promise<StoredRecord[]> {
    this.emulator.faults.clear();
    const reader = await S3EventStore.open({ objects: this.driver(), prefix: this.prefix });
    const report = await reader.verify();
    const records: StoredRecord[] = [];
    if (report.valid) for await (const record of reader.readRecords()) records.push(record);
    expect(report.error).toBeUndefined();
    expect(await checkHistory(this.history, records)).toEqual([]);
    const events = this.names().filter((name) => !name.startsWith("_"));
    const objects = events.map((name) => this.emulator.objects("events").get(`${this.prefix}/${name}`));
    expect(objects.every((object) => object?.metadata["put-id"] !== undefined)).toBe(true);
    const lines = objects.flatMap(
      (object) =>
        object?.body
          .toString()
          .split("\n")
          .filter((line) => line !== "") ?? [],
    );
    expect(lines).toEqual(records.map(({ line }) => line.toString()));
    const head = this.emulator.objects("events").get(this.keys.head);
    if (head) {
      const { seq, hash } = parseHead(head.body) ?? { seq: -1, hash: "unreadable" };
      expect(records[seq]?.eventHash).toBe(hash);
    }
    return records;
  }

  /** `check`, and the log holds just these events (`payload.n`), in this order. */
  async expectEvents(...numbers: number[]): Promise<void> {
    const records = await this.check();
    const events = records.map(
      ({ line }) => (JSON.parse(line.toString()) as { event: { payload: { n: number } } }).event,
    );
    expect(events.map(({ payload }) => payload.n)).toEqual(numbers);
  }

  /** Ends the connections of all stores, however they were left. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#drivers.map((objects) => objects.close()));
  }
}

export function event(n: number): NewEvent {
  return { type: "T", aggregateId: "a", ts: 5, payload: { n } };
}

/** What a promise is rejected with, which must be an error of ours. */
export async function failure(promise: Promise<unknown>): Promise<EventStoreError> {
  const error: unknown = await promise.then(
    (value) => value,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(EventStoreError);
  return error as EventStoreError;
}
