import { EventParser } from "../../../src/core/recorded-event.js";
import type { Anchor, AnyEvents, Head, RecordedEvent } from "../../../src/core/event.js";
import { LogIndex } from "../../../src/log/index/coverage.js";
import type { IndexLayout } from "../../../src/log/index/layout.js";
import { walkObjects } from "../../../src/log/reader.js";
import { findTail, readHead, recordAt } from "../../../src/log/tail.js";
import { memoryObjects } from "../../../src/objects/memory.js";
import type { ObjectStore } from "../../../src/objects/port.js";
import { listAggregates } from "../../../src/stores/list-aggregates.js";
import type { AggregatesOptions, AggregatesPage, ReadOptions } from "../../../src/stores/port.js";
import { readVerified } from "../../../src/stores/reading.js";
import type { RecordSource } from "../../../src/stores/record-source.js";
import type { StoreWarning } from "../../../src/system/warning.js";
import { keys, type Bucket } from "./sample-log.js";

/** Small enough that a few hundred records have runs and directories. */
export const SMALL: IndexLayout = {
  mostOfRun: 100,
  leastDirectory: 1000,
  leastLog: 100,
  leastRange: 10,
  maxDirectoryBytes: 32 * 1024 * 1024,
  maxRefBytes: 4 * 1024 * 1024,
};

/** Reads a log as a store does, with an index of any layout; writes down what it asks for, and what it is told. */
export class IndexReader {
  readonly requests: string[] = [];
  readonly warnings: StoreWarning[] = [];
  readonly anchors: Anchor[] = [];
  /** Bytes of bodies. */
  received = 0;
  readonly index: LogIndex;
  readonly #source: RecordSource;
  readonly #head: () => Promise<Head>;

  constructor(from: Bucket | ObjectStore, layout?: IndexLayout, useHead = true) {
    const objects = "putIfAbsent" in from ? from : memoryObjects({ bucket: from });
    const log = { objects: this.#counting(objects), keys, useHead };
    const hashOf = async (seq: number, signal?: AbortSignal): Promise<string | null> =>
      (await recordAt(log, seq, signal))?.eventHash ?? null;
    const recordOf = (seq: number, signal?: AbortSignal) => recordAt(log, seq, signal);
    const onWarning = (warning: StoreWarning): void => void this.warnings.push(warning);
    this.index = new LogIndex(log, { hashOf, onWarning, layout });
    this.#head = () => findTail(log);
    this.#source = {
      storedHead: (signal) => readHead(log, signal),
      walk: (range) => walkObjects(log, range),
      hashOf,
      recordOf,
      watch: () => {
        throw new Error("not part of this");
      },
      index: this.index,
    };
  }

  async read(options: ReadOptions): Promise<RecordedEvent[]> {
    const parser = new EventParser<AnyEvents>();
    const events: RecordedEvent[] = [];
    const onAnchor = (anchor: Anchor): void => void this.anchors.push(anchor);
    for await (const records of readVerified(this.#source, this.#head, { onAnchor, ...options }, true))
      for (const record of records) events.push(parser.parse(record));
    return events;
  }

  async seqs(options: ReadOptions): Promise<number[]> {
    return (await this.read(options)).map(({ seq }) => seq);
  }

  aggregates(options: AggregatesOptions = {}): Promise<AggregatesPage> {
    return listAggregates(this.#source, this.#head, options);
  }

  /** GETs of event objects. */
  get walked(): string[] {
    return this.requests.filter((request) => /^GET events\/[0-9]/.test(request));
  }

  #counting(objects: ObjectStore): ObjectStore {
    return {
      identity: objects.identity,
      putIfAbsent: (...args) => objects.putIfAbsent(...args),
      replaceIfMatch: (...args) => objects.replaceIfMatch(...args),
      delete: (...args) => objects.delete(...args),
      close: () => objects.close(),
      get: async (key, options) => {
        this.requests.push(`GET ${key}`);
        const object = await objects.get(key, options);
        this.received += object?.body.length ?? 0;
        return object;
      },
      list: async (options) => {
        this.requests.push(`LIST ${options.startAfter ?? options.prefix}`);
        const page = await objects.list(options);
        this.received += page.entries.length * 300;
        return page;
      },
    };
  }
}
