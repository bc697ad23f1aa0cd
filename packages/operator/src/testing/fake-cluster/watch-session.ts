import type { ApiFailure } from "./failure.js";
import type { WatchFault } from "./faults.js";
import { stringify } from "./json.js";
import type { ObjectStorage } from "./object-storage.js";
import { bookmarkText, objectText } from "./rendering.js";
import type { Resource } from "./resource.js";
import type { Change } from "./watch-history.js";
import type { ObjectEvent, WatchPlan } from "./watch-plan.js";
import type { Exchange } from "./wire.js";

export interface WatchSettings {
  readonly bookmarkIntervalMs: number;
  /** For watches that name no time-out. */
  readonly timeoutMs: number;
  readonly now: () => number;
}

/** Whoever is so far behind is cut off, as by real servers. */
const MAX_PENDING_BYTES = 64 * 1024 * 1024;

/** One open watch: sends what concerns it until the client leaves, its time is over or a fault ends it. */
export class WatchSession {
  readonly #plan: WatchPlan;
  readonly #exchange: Exchange;
  readonly #storage: ObjectStorage;
  readonly #settings: WatchSettings;
  readonly #fault: WatchFault;
  readonly #queue: string[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  #unsubscribe: (() => void) | undefined;
  #ended: () => void = () => undefined;
  #sent = 0;
  #busy = false;
  #paused = false;
  #over = false;

  constructor(
    plan: WatchPlan,
    exchange: Exchange,
    storage: ObjectStorage,
    settings: WatchSettings,
    fault: WatchFault = {},
  ) {
    this.#plan = plan;
    this.#exchange = exchange;
    this.#storage = storage;
    this.#settings = settings;
    this.#fault = fault;
  }

  /** Resolves when it is over. */
  async run(): Promise<void> {
    const over = new Promise<void>((resolve) => {
      this.#ended = resolve;
    });
    this.#exchange.onGone(() => this.#stop());
    this.#exchange.head(200, { "content-type": "application/json", "cache-control": "no-cache, private" });
    this.#exchange.flush();
    const { first, bookmarks, timeoutSeconds, expired } = this.#plan;
    if (first === null) {
      this.#fail(expired);
      return over;
    }
    // Between the plan, what it begins with and this nothing can have changed: all of it happens in one go.
    this.#unsubscribe = this.#storage.history.subscribe((change) => {
      const event = this.#plan.eventOf(change);
      if (event !== null) this.#send(event);
      else if (withdraws(change, this.#plan.resource)) this.#sendEnd();
    });
    for (const event of first) this.#send(event);
    if (bookmarks) this.#every(this.#settings.bookmarkIntervalMs, () => this.#sendBookmark());
    const timeout = timeoutSeconds === null ? this.#settings.timeoutMs : timeoutSeconds * 1000;
    this.#after(timeout, () => {
      if (bookmarks) this.#sendBookmark();
      this.#sendEnd();
    });
    // A fault that is to happen at once needs no event to happen.
    this.#pump();
    return over;
  }

  /** Holds everything back, as a network does that lets nothing through. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#pump();
  }

  /** Ends the connection without a word. */
  close(): void {
    this.#exchange.close();
    this.#stop();
  }

  #send({ type, object }: ObjectEvent): void {
    const { resource, form } = this.#plan;
    const line = `{"type":"${type}","object":${objectText(resource, object, form, this.#settings.now())}}\n`;
    this.#queue.push(line);
    if (this.#fault.duplicate === true) this.#queue.push(line);
    this.#pump();
  }

  #sendBookmark(): void {
    const { resource, form } = this.#plan;
    this.#queue.push(`{"type":"BOOKMARK","object":${bookmarkText(resource, form, this.#storage.revision)}}\n`);
    this.#pump();
  }

  #sendEnd(): void {
    this.#queue.push("");
    this.#pump();
  }

  /** Sends what waits. An empty line stands for the end. */
  #pump(): void {
    while (!this.#busy && !this.#paused && !this.#over) {
      const line = this.#queue[0];
      if (this.#fault.then !== undefined && this.#sent >= (this.#fault.after ?? 0)) {
        if (this.#fault.then === "truncate" && line === undefined) return;
        this.#break(this.#fault.then, line ?? "");
        return;
      }
      if (line === undefined) return;
      if (this.#fault.slowMs !== undefined) {
        this.#busy = true;
        this.#after(this.#fault.slowMs, () => {
          this.#busy = false;
          this.#emit();
          this.#pump();
        });
        return;
      }
      this.#emit();
    }
  }

  #emit(): void {
    const line = this.#queue.shift();
    if (line === undefined || this.#over) return;
    if (line === "") {
      this.#finish();
      return;
    }
    this.#sent++;
    this.#exchange.write(line);
    if (this.#exchange.pending > MAX_PENDING_BYTES) this.close();
  }

  #break(how: NonNullable<WatchFault["then"]>, line: string): void {
    if (how === "silence") {
      // Stays open, and holds nothing back for later: it is as if the events were lost.
      this.#release();
      this.#over = true;
    } else if (how === "truncate") {
      this.#exchange.breakOff(line.slice(0, line.length >> 1));
      this.#stop();
    } else if (how === "expire") this.#fail(this.#plan.expired);
    else if (how === "end") this.#finish();
    else if (how === "reset") {
      this.#exchange.reset();
      this.#stop();
    } else this.close();
  }

  #fail({ status }: ApiFailure): void {
    this.#exchange.write(`{"type":"ERROR","object":${stringify(status)}}\n`);
    this.#finish();
  }

  #finish(): void {
    this.#exchange.end();
    this.#stop();
  }

  #stop(): void {
    this.#over = true;
    this.#release();
    this.#ended();
  }

  #release(): void {
    this.#unsubscribe?.();
    this.#queue.length = 0;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #after(ms: number, action: () => void): void {
    if (this.#over) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!this.#over) action();
    }, ms);
    this.#timers.add(timer);
  }

  #every(ms: number, action: () => void): void {
    this.#after(ms, () => {
      action();
      this.#every(ms, action);
    });
  }
}

/** The definition of a watched resource is deleted, and with it the resource. */
function withdraws({ storage, type, object }: Change, { custom, storage: watched }: Resource): boolean {
  return custom && storage === "customresourcedefinitions" && type === "DELETED" && object.metadata.name === watched;
}
