import type { KeyObject } from "node:crypto";
import type { Runtime } from "../system/runtime.js";
import type { DestroyedKeys, KeyRecord, LiveKeys } from "./key-record.js";

/** A subject's record as it was read, with what was unwrapped of it. */
export type OpenedKeys =
  | {
      readonly state: "live";
      readonly record: LiveKeys;
      /** By version. */
      readonly keys: Map<number, Promise<KeyObject>>;
    }
  | { readonly state: "destroyed"; readonly record: DestroyedKeys };

interface Entry {
  readonly until: number;
  readonly opened: Promise<OpenedKeys | null>;
}

/** Remembers records for a while, the most recently used ones. Those who ask while a record is read share the answer. */
export class KeyCache {
  readonly #entries = new Map<string, Entry>();
  readonly #ms: number;
  readonly #size: number;
  readonly #runtime: Pick<Runtime, "elapsed">;

  constructor({ ms, size, runtime }: { ms: number; size: number; runtime: Pick<Runtime, "elapsed"> }) {
    this.#ms = ms;
    this.#size = size;
    this.#runtime = runtime;
  }

  get(subject: string, read: () => Promise<KeyRecord | null>): Promise<OpenedKeys | null> {
    const now = this.#runtime.elapsed();
    const known = this.#entries.get(subject);
    this.#entries.delete(subject);
    if (known !== undefined && now < known.until) {
      this.#entries.set(subject, known);
      return known.opened;
    }
    const opened = read().then(openedOf);
    const entry = { until: now + this.#ms, opened };
    if (this.#ms > 0) this.#entries.set(subject, entry);
    const drop = (): void => {
      if (this.#entries.get(subject) === entry) this.#entries.delete(subject);
    };
    // A missing record may be there the next moment.
    opened.then((found) => {
      if (found === null) drop();
    }, drop);
    if (this.#entries.size > this.#size) this.#entries.delete(this.#entries.keys().next().value as string);
    return opened;
  }

  forget(subject: string): void {
    this.#entries.delete(subject);
  }

  clear(): void {
    this.#entries.clear();
  }
}

function openedOf(record: KeyRecord | null): OpenedKeys | null {
  if (record?.state !== "live") return record && { state: "destroyed", record };
  return { state: "live", record, keys: new Map() };
}

/** Subjects whose uses are counted; who is used often stays among them. */
const COUNTED = 100_000;

/** How often this process has used each subject's newest key. */
export class UseCounter {
  readonly #uses = new Map<string, { readonly version: number; readonly count: number }>();

  /** One more. @returns how many there were before */
  add(subject: string, version: number): number {
    const known = this.#uses.get(subject);
    const count = known?.version === version ? known.count : 0;
    this.#uses.delete(subject);
    this.#uses.set(subject, { version, count: count + 1 });
    if (this.#uses.size > COUNTED) this.#uses.delete(this.#uses.keys().next().value as string);
    return count;
  }
}
