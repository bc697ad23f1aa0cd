import type { EventStore, Head, RecordTexts, Runtime } from "@rynxs/event-store";
import { recordTexts } from "@rynxs/event-store";
import { CliError, extend, isRefusal } from "../exit.js";
import { isSame, newEvent } from "./event.js";
import type { Position } from "./position.js";
import { PositionFile } from "./position.js";
import type { Mark, Source, Sourced } from "./source.js";
import { NOTHING_DONE } from "./source.js";

/** A batch is written when its lines have this many bytes: far below what a store refuses. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024;
/** The position is saved when so many events came behind the last one: what a later run has to look through. */
const SAVE_EVERY = 10_000;

export interface ImportOptions {
  readonly name: string;
  /** What the events are made by: a later run must say the same. */
  readonly map: string;
  readonly batch: number;
  readonly runtime: Runtime;
  /** Ends the import between two writes. */
  readonly stop: AbortSignal;
  /** Breaks off a write. */
  readonly abort: AbortSignal;
  readonly onProgress: (events: number) => void;
}

/**
 * Brings each event of a source into the log once. Every write states the record that it must come behind, so an import's events
 * stand behind one another until another writer gets in between; where that happened, the position is saved before the
 * next write. Hence what a killed run left behind is found by comparing the log behind the saved position with the source.
 * (Another writer's event that is the same in every byte, at that very place, would be taken for ours.)
 */
export class Importer {
  readonly #store: EventStore;
  readonly #options: ImportOptions;
  readonly #file: PositionFile;
  #time = 0;
  /** The lines whose events are in the log, and the record behind which those of the next ones are, if at all. */
  #mark: Mark = NOTHING_DONE;
  #head: Head = { seq: -1, hash: "" };
  #unsaved = 0;
  #pending: Sourced[] = [];
  #pendingBytes = 0;
  /** Events that this run appended. */
  imported = 0;
  /** Events of the source that were in the log before. */
  already = 0;
  firstSeq: number | undefined;
  lastSeq: number | undefined;

  constructor(store: EventStore, options: ImportOptions) {
    this.#store = store;
    this.#options = options;
    this.#file = new PositionFile(store.derived, options.name, options.runtime);
  }

  get mark(): Mark {
    return this.#mark;
  }

  get head(): Head {
    return this.#head;
  }

  /** @throws CliError, EventStoreError; what came before is in the log then, and a later run goes on behind it */
  async run(source: Source): Promise<void> {
    const done = await this.#begin();
    const events = source.events(done)[Symbol.asyncIterator]();
    let failure: Error | undefined;
    try {
      let next = await this.#catchUp(events);
      for (; next !== undefined && !this.#options.stop.aborted; next = await take(events)) await this.#add(next);
    } catch (error) {
      failure = asError(error);
    } finally {
      await events.return();
    }
    // what lies before a line that is refused is wanted; after any other failure the next run finds it
    const wanted = failure === undefined || (failure instanceof CliError && "line" in failure.facts);
    if (wanted && !this.#options.stop.aborted) {
      await this.#write();
      if (failure === undefined) this.#mark = source.mark();
    }
    await this.#save().catch((error: unknown) => {
      failure ??= asError(error);
    });
    if (failure !== undefined) throw failure;
  }

  /** Where an earlier run stopped, or where this one begins. */
  async #begin(): Promise<Mark> {
    const position = await this.#file.read();
    if (position === null) {
      this.#time = this.#options.runtime.now();
      this.#head = await this.#store.head();
      return this.#mark;
    }
    await this.#check(position);
    this.#time = position.time;
    this.#head = position.base;
    this.#mark = position;
    this.already = position.events;
    return position;
  }

  async #check({ map, base }: Position): Promise<void> {
    if (map !== this.#options.map) {
      throw new CliError("INVALID_CONFIG", "this import was begun with another map; nothing more was imported", {
        hint: "give the map that it was begun with, or import what is left under another --name",
      });
    }
    const hash = base.seq < 0 ? base.hash : await this.#store.getEventHash(base.seq);
    if (hash === base.hash) return;
    throw new CliError(
      "NOT_A_PREFIX",
      "this import was begun in another log, or this log was changed; nothing more was imported",
      {
        facts: { seq: base.seq, expected: base.hash, actual: hash ?? `no record ${String(base.seq)}` },
        hint: "verify the log; an import into a new log goes under another --name",
      },
    );
  }

  /** Takes events from the source as long as the log has them already. @returns the first one that it has not */
  async #catchUp(events: AsyncIterator<Sourced, void>): Promise<Sourced | undefined> {
    let next: Sourced | undefined;
    const found = await this.#compare(async () => (next = await take(events)));
    this.already += found;
    // before anything is written. From here on the position is ours: another process under this name stops at its next save
    await this.#save();
    return next;
  }

  /** Goes along the log behind the head as long as its records are the events that `next` gives. @returns how many were */
  async #compare(next: () => Promise<Sourced | undefined> | Sourced | undefined): Promise<number> {
    const range = this.#head.seq < 0 ? {} : { anchor: this.#head };
    let found = 0;
    let event = await next();
    for await (const record of this.#store.readRecords({ ...range, signal: this.#options.stop })) {
      if (event === undefined) break;
      const texts: RecordTexts = recordTexts(record);
      if (!isSame(event.event, this.#time, texts)) {
        // another writer's: nobody who imports under this name can have written behind it without saving first
        this.#head = await this.#store.head();
        break;
      }
      this.#mark = event.mark();
      this.#head = { seq: texts.seq, hash: texts.eventHash };
      found += 1;
      event = await next();
    }
    return found;
  }

  async #add(event: Sourced): Promise<void> {
    if (this.#pendingBytes + event.bytes > MAX_BATCH_BYTES) await this.#write();
    this.#pending.push(event);
    this.#pendingBytes += event.bytes;
    if (this.#pending.length >= this.#options.batch) await this.#write();
  }

  async #write(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    try {
      await this.#append(pending);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // an event that reads well and yet cannot be written: nothing of the batch was, so find its line by going one by one
      for (const one of pending) await this.#appendOne(one);
    }
    if (this.#unsaved >= SAVE_EVERY) await this.#save();
  }

  async #appendOne(one: Sourced): Promise<void> {
    try {
      await this.#append([one]);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      throw extend(error, `line ${String(one.line)} refused`, { line: one.line }, {});
    }
  }

  async #append(events: readonly Sourced[]): Promise<void> {
    let left = events;
    while (left.length > 0) {
      const written = left.map(({ event }) => newEvent(event, this.#time));
      const options = { expectedPrevHash: this.#head.hash, signal: this.#options.abort };
      const result = await this.#store.appendBatch(written, options);
      if (result.committed) {
        this.#appended(left, result.records[0]?.seq, result.records.at(-1));
        return;
      }
      // somebody was first: another writer, or a process that imports the same
      const behind = left.values();
      const found = await this.#compare(() => behind.next().value);
      this.already += found;
      left = left.slice(found);
      await this.#save();
      if (this.#options.stop.aborted) throw new CliError("ABORTED", "the import was stopped");
    }
  }

  #appended(
    events: readonly Sourced[],
    first: number | undefined,
    last: { seq: number; eventHash: string } | undefined,
  ): void {
    if (last === undefined) return;
    this.#head = { seq: last.seq, hash: last.eventHash };
    this.#mark = events.at(-1)?.mark() ?? this.#mark;
    this.#unsaved += events.length;
    this.imported += events.length;
    this.firstSeq ??= first;
    this.lastSeq = last.seq;
    this.#options.onProgress(this.imported);
  }

  async #save(): Promise<void> {
    await this.#file.save({ map: this.#options.map, time: this.#time, ...this.#mark, base: this.#head });
    this.#unsaved = 0;
  }
}

async function take(events: AsyncIterator<Sourced, void>): Promise<Sourced | undefined> {
  const { value, done } = await events.next();
  return done === true ? undefined : value;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
