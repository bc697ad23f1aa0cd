import { ConfigError, EventStoreError } from "../../core/errors.js";
import type { Head } from "../../core/event.js";
import { backOff, type Runtime } from "../../system/runtime.js";
import type { DurablePosition } from "./port.js";

/** When a position is saved. */
export interface SaveEvery {
  /** Once so many events were handled; default 1: after each. */
  readonly events?: number | undefined;
  /** Or once so many milliseconds have passed since the first one that is not saved; default 5000. */
  readonly ms?: number | undefined;
}

/** A position that moved over nothing but what the filter left out can wait: losing it costs a few reads. */
const LEFT_OUT_MS = 30_000;
const FIRST_BACK_OFF_MS = 1_000;
const LONGEST_BACK_OFF_MS = 30_000;

export interface KeeperOptions {
  readonly every: SaveEvery;
  readonly runtime: Runtime;
  readonly onTrouble: (error: EventStoreError) => void;
  /** Once aborted, a save that does not succeed is not waited for. */
  readonly signal: AbortSignal | undefined;
}

/** Saves where a consumer stands, not more often than needed. */
export class PositionKeeper {
  readonly #position: DurablePosition;
  readonly #options: KeeperOptions;
  readonly #events: number;
  readonly #ms: number;
  /** To be saved. */
  #head: Head | null = null;
  #handled = 0;
  #since = 0;
  #failed = false;

  /** @throws ConfigError */
  constructor(position: DurablePosition, options: KeeperOptions) {
    const { events = 1, ms = 5_000 } = options.every;
    if (!Number.isSafeInteger(events) || events < 1)
      throw new ConfigError("saveEvery.events must be a positive integer");
    if (!Number.isFinite(ms) || ms < 0) throw new ConfigError("saveEvery.ms must be a number of milliseconds");
    this.#position = position;
    this.#options = options;
    this.#events = events;
    this.#ms = ms;
  }

  /** The event at `head` was handled. */
  async handled(head: Head): Promise<void> {
    this.#move(head);
    if (this.#handled++ === 0) this.#since = this.#options.runtime.elapsed();
    await this.#saveWhenDue();
  }

  /** All events up to `head` were handled or left out. */
  async passed(head: Head): Promise<void> {
    if (head.seq > (this.#head?.seq ?? this.#position.saved?.seq ?? -1)) this.#move(head);
    await this.#saveWhenDue();
  }

  /** Saves what is not saved yet, unless saving has failed before. */
  async save(): Promise<void> {
    const head = this.#head;
    if (head === null || this.#failed) return;
    try {
      await this.#saveAtLast(head);
    } catch (error) {
      this.#failed = true;
      throw error;
    }
    this.#head = null;
    this.#handled = 0;
  }

  #move(head: Head): void {
    if (this.#head === null) this.#since = this.#options.runtime.elapsed();
    this.#head = head;
  }

  async #saveWhenDue(): Promise<void> {
    const age = this.#options.runtime.elapsed() - this.#since;
    if (this.#handled >= this.#events || age >= (this.#handled > 0 ? this.#ms : LEFT_OUT_MS)) await this.save();
  }

  async #saveAtLast(head: Head): Promise<void> {
    const { runtime, signal, onTrouble } = this.#options;
    for (let failures = 0; ; failures++) {
      try {
        await this.#position.save(head);
        return;
      } catch (error) {
        if (!(error instanceof EventStoreError) || error.code !== "UNAVAILABLE" || signal?.aborted) throw error;
        if (failures === 0) onTrouble(error);
        await runtime.sleep(backOff(runtime, failures, FIRST_BACK_OFF_MS, LONGEST_BACK_OFF_MS), signal);
      }
    }
  }
}
