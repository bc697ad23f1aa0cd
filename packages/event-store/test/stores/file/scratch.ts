import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll } from "vitest";
import type { EventStoreError } from "../../../src/core/errors.js";
import type { NewEvent, RecordedEvent } from "../../../src/core/event.js";
import { FileEventStore, type FileEventStoreOptions } from "../../../src/stores/file/file-event-store.js";
import type { EventStore, ReadOptions } from "../../../src/stores/port.js";
import type { StoreWarning } from "../../../src/system/warning.js";

const folders: string[] = [];
const stores: EventStore[] = [];

afterAll(async () => {
  for (const store of stores) await store.close();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "rynxs-file-"));
  folders.push(folder);
  return folder;
}

/** A log in a folder of its own, and what a test does to its files. */
export class ScratchLog {
  readonly path: string;
  readonly warnings: StoreWarning[] = [];

  constructor(path: string = join(scratchFolder(), "events.log"), lines?: Uint8Array) {
    this.path = path;
    if (lines) writeFileSync(this.path, lines);
  }

  /** A store on it, closed at the end of the file's tests. */
  async open(options: Partial<FileEventStoreOptions> = {}): Promise<EventStore> {
    const store = await FileEventStore.open({
      path: this.path,
      onWarning: (warning) => this.warnings.push(warning),
      ...options,
    });
    stores.push(store);
    return store;
  }

  /** Opens, works and closes: what another process would do in between. */
  async with<T>(work: (store: EventStore) => Promise<T>, options: Partial<FileEventStoreOptions> = {}): Promise<T> {
    const store = await this.open(options);
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  }

  bytes(suffix: string = ""): Buffer {
    return readFileSync(this.path + suffix);
  }

  write(bytes: string | Uint8Array, suffix: string = ""): void {
    writeFileSync(this.path + suffix, bytes);
  }

  add(bytes: string | Uint8Array): void {
    appendFileSync(this.path, bytes);
  }

  cut(size: number): void {
    truncateSync(this.path, size);
  }

  has(suffix: string): boolean {
    return existsSync(this.path + suffix);
  }

  remove(suffix: string): void {
    rmSync(this.path + suffix);
  }

  /** Names of the log's files behind `events.log`. */
  suffixes(): string[] {
    return readdirSync(dirname(this.path))
      .map((name) => name.slice(basename(this.path).length))
      .sort();
  }

  /** Contents of the side files. */
  asides(): Buffer[] {
    return this.suffixes()
      .filter((suffix) => suffix.startsWith(".torn-"))
      .map((suffix) => this.bytes(suffix));
  }
}

export function event(n: number, size = 0): NewEvent {
  return { type: "T", aggregateId: "a", ts: n, payload: { n, ...(size > 0 && { fill: "x".repeat(size) }) } };
}

export function events(from: number, count: number, size = 0): NewEvent[] {
  return Array.from({ length: count }, (_, i) => event(from + i, size));
}

/** Reads to the end and says how many there were. */
export async function count(records: AsyncIterable<unknown>): Promise<number> {
  let found = 0;
  for await (const record of records) if (record !== undefined) found++;
  return found;
}

export async function collect(store: EventStore, options?: ReadOptions): Promise<RecordedEvent[]> {
  const found: RecordedEvent[] = [];
  for await (const recorded of store.read(options)) found.push(recorded);
  return found;
}

/** `n` of every event of the log, in order; each must stand at its seq. */
export async function numbers(store: EventStore): Promise<unknown[]> {
  return (await collect(store)).map(({ payload }) => payload["n"]);
}

export interface Verdict {
  /** Records before the fault. */
  readonly good: number;
  readonly code: string | undefined;
  readonly seq: number | undefined;
}

/** What `read`, `readRecords` and `verify` say, which must be one. */
export async function verdict(store: EventStore): Promise<Verdict> {
  const walk = async (records: AsyncIterable<unknown>): Promise<Verdict> => {
    let good = 0;
    try {
      for await (const record of records) if (record !== undefined) good++;
      return { good, code: undefined, seq: undefined };
    } catch (error) {
      const { code, facts } = error as EventStoreError;
      return { good, code, seq: facts.seq };
    }
  };
  const read = await walk(store.read());
  const records = await walk(store.readRecords());
  const { events: good, error } = await store.verify();
  const verified = { good, code: error?.code, seq: error?.seq };
  for (const other of [records, verified]) {
    if (JSON.stringify(other) !== JSON.stringify(read))
      throw new Error(`read says ${JSON.stringify(read)}, but another way ${JSON.stringify(other)}`);
  }
  return read;
}

export async function refusal(work: Promise<unknown>): Promise<EventStoreError> {
  return work.then(
    (value) => {
      throw new Error(`it was not refused, but gave ${JSON.stringify(value)}`);
    },
    (error: unknown) => error as EventStoreError,
  );
}
