import { BackendError } from "../../src/core/errors.js";
import type { ObjectMap } from "../../src/objects/object-map.js";
import type {
  GetOptions,
  ListOptions,
  ListPage,
  ObjectStore,
  PutOptions,
  PutOutcome,
  StoredObject,
} from "../../src/objects/port.js";
import type { Runtime } from "../../src/system/runtime.js";
import type { SeededRandom } from "./random.js";

interface Step {
  readonly name: string;
  readonly take: () => void;
}

/** Decides, from a seed, what happens next of all that could: a request arrives, an answer comes, a pause ends, a caller acts. */
export class Scheduler {
  /** What happened, in order. */
  readonly trace: string[] = [];
  readonly random: SeededRandom;
  /** Fresh ids that were given away. */
  ids = 0;
  #steps: Step[] = [];

  constructor(random: SeededRandom) {
    this.random = random;
  }

  /** Resolves when the schedule comes to it. */
  step(name: string): Promise<void> {
    return new Promise((resolve) => this.#steps.push({ name, take: resolve }));
  }

  /** Does this some time. */
  later(name: string, action: () => void): void {
    this.#steps.push({ name, take: action });
  }

  /**
   * Goes on until nothing is left to do: `act` lets a caller act, and says whether one of them has more to do; `busy`, whether
   * something is still to come. `settle`: lets everything happen that follows from the last step by itself.
   */
  async run(act: (() => boolean) | null, busy: () => boolean, settle = fewTurns): Promise<void> {
    let more = act !== null;
    for (let idle = 0; ;) {
      await settle();
      if (this.#steps.length === 0 && !more) {
        if (!busy()) return;
        if (++idle > 10_000) throw new Error("nothing goes on");
        continue;
      }
      idle = 0;
      if (act !== null && more && (this.#steps.length === 0 || this.random.chance(0.3))) more = act();
      else this.#take();
    }
  }

  #take(): void {
    const [step] = this.#steps.splice(this.random.below(this.#steps.length), 1);
    if (!step) return;
    this.trace.push(step.name);
    step.take();
  }
}

/** Of the event loop: enough where nothing but promises is waited for. */
async function fewTurns(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Its pauses are steps of a schedule, and its clock moves by them alone. */
export class ScheduledRuntime implements Runtime {
  readonly #scheduler: Scheduler;
  readonly #name: string;
  #elapsed = 0;

  constructor(scheduler: Scheduler, name: string) {
    this.#scheduler = scheduler;
    this.#name = name;
  }

  now = (): number => 1_700_000_000_000;
  elapsed = (): number => this.#elapsed;
  random = (): number => this.#scheduler.random.next();
  /** Eight digits of its own, and whose it is. */
  id = (): string => `${(this.#scheduler.ids++).toString(16).padStart(8, "0")}-${this.#name}`;

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await untilAborted(this.#scheduler.step(`${this.#name} wakes`), signal, () => undefined);
    this.#elapsed += ms;
  }
}

/** What goes wrong with a put. `late`: no answer, and it is applied some time after. */
export type PutFault = "lost" | "unanswered" | "late" | "unsent" | "twice" | "refused";

export interface ScheduledFaults {
  put(): PutFault | null;
  /** A read that the driver has given up. */
  read(): boolean;
}

export const NO_FAULTS: ScheduledFaults = { put: () => null, read: () => false };

/** One client of a bucket in memory: each request arrives, and is answered, when the schedule says so. */
export class ScheduledObjects implements ObjectStore {
  readonly identity: string;
  faults: ScheduledFaults;
  /** Most puts of events that were on their way at once. */
  mostPuts = 0;
  readonly #scheduler: Scheduler;
  readonly #bucket: ObjectMap;
  readonly #name: string;
  #puts = 0;

  constructor(scheduler: Scheduler, bucket: ObjectMap, name: string, identity: string, faults: ScheduledFaults) {
    this.#scheduler = scheduler;
    this.#bucket = bucket;
    this.#name = name;
    this.identity = identity;
    this.faults = faults;
  }

  async putIfAbsent(key: string, body: Uint8Array, options: PutOptions = {}): Promise<PutOutcome> {
    const apply = (): PutOutcome =>
      this.#bucket.get(key) ? { outcome: "exists" } : { outcome: "stored", etag: this.#store(key, bytes, options) };
    const bytes = Buffer.from(body);
    return this.#put(key, /[0-9]{10}\.json$/.test(key), apply, options.signal);
  }

  async replaceIfMatch(key: string, body: Uint8Array, etag: string, options: PutOptions = {}): Promise<PutOutcome> {
    const bytes = Buffer.from(body);
    const apply = (): PutOutcome =>
      this.#bucket.get(key)?.etag === etag
        ? { outcome: "stored", etag: this.#store(key, bytes, options) }
        : { outcome: "exists" };
    return this.#put(key, false, apply, options.signal);
  }

  get(key: string, { range, signal }: GetOptions = {}): Promise<StoredObject | null> {
    return this.#read(`GET ${key}`, signal, () => {
      const held = this.#bucket.get(key);
      if (!held) return null;
      const body = Buffer.from(held.body.subarray(range?.start ?? 0, range?.end ?? held.body.length));
      return { body, etag: held.etag, metadata: held.metadata };
    });
  }

  list({ prefix, startAfter = "", maxKeys = 1000, signal }: ListOptions): Promise<ListPage> {
    return this.#read(`LIST ${startAfter}`, signal, () => {
      const { keys, truncated } = this.#bucket.page(prefix, startAfter, maxKeys);
      return { entries: keys.map((key) => ({ key, size: this.#bucket.get(key)?.body.length ?? 0 })), truncated };
    });
  }

  async delete(key: string): Promise<void> {
    await this.#read(`DELETE ${key}`, undefined, () => this.#bucket.delete(key));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #store(key: string, bytes: Buffer, { metadata }: PutOptions): string {
    return this.#bucket.put(key, bytes, { metadata }).etag;
  }

  async #put(key: string, event: boolean, apply: () => PutOutcome, signal?: AbortSignal): Promise<PutOutcome> {
    const fault = event ? this.faults.put() : null;
    const what = `${this.#name} PUT ${key}${fault === null ? "" : ` ${fault}`}`;
    if (signal?.aborted) return unknown(false, "ABORTED");
    if (event) this.mostPuts = Math.max(this.mostPuts, ++this.#puts);
    // Aborting ends the wait, not the request.
    return untilAborted(this.#deliver(what, fault, apply), signal, () => unknown(true, "ABORTED")).finally(() => {
      if (event) this.#puts--;
    });
  }

  async #deliver(what: string, fault: PutFault | null, apply: () => PutOutcome): Promise<PutOutcome> {
    await this.#scheduler.step(`${what} arrives`);
    if (fault === "refused") throw new BackendError("ACCESS_DENIED", "played");
    if (fault === "unsent") return unknown(false);
    if (fault === "late") this.#scheduler.later(`${what} is applied`, () => void apply());
    if (fault === "twice") apply();
    const outcome = fault === "lost" || fault === "late" ? unknown(true) : apply();
    await this.#scheduler.step(`${what} is answered`);
    return fault === "unanswered" ? unknown(true) : outcome;
  }

  async #read<T>(what: string, signal: AbortSignal | undefined, look: () => T): Promise<T> {
    const run = async (): Promise<T> => {
      await this.#scheduler.step(`${this.#name} ${what} arrives`);
      if (this.faults.read()) throw new BackendError("UNAVAILABLE", "played");
      const found = look();
      await this.#scheduler.step(`${this.#name} ${what} is answered`);
      return found;
    };
    return untilAborted(run(), signal, () => {
      throw new BackendError("ABORTED", "the call was aborted");
    });
  }
}

function unknown(sent: boolean, code: "UNAVAILABLE" | "ABORTED" = "UNAVAILABLE"): PutOutcome {
  return { outcome: "unknown", sent, cause: new BackendError(code, "played") };
}

async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined, aborted: () => T): Promise<T> {
  if (!signal) return work;
  work.catch(() => undefined);
  let onAbort: () => void = () => undefined;
  const ended = new Promise<"aborted">((resolve) => {
    onAbort = (): void => {
      resolve("aborted");
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort);
  });
  const first = await Promise.race([work.then((value) => ({ value })), ended]);
  signal.removeEventListener("abort", onAbort);
  return first === "aborted" ? aborted() : first.value;
}
