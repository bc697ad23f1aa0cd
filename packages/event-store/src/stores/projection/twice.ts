import { EventStoreError } from "../../core/errors.js";
import type { EventMap, Head, RecordedEvent } from "../../core/event.js";
import type { EventStore } from "../port.js";
import { eventsOf, Fold, nameOf } from "./fold.js";
import type { Projection } from "./projection.js";
import type { Snapshot } from "./snapshot.js";

/** A state is compared after so many events at most (it may be after twice as many when it is large) … */
const EVENTS = 256;
/** … or after so many that comparing it costs each of them so many bytes. */
const BYTES_AN_EVENT = 256;
/** In search of the first difference, states of so many bytes in all may be read back after each event. */
const SEARCH_BYTES = 64 * 1024 * 1024;

/**
 * Runs a projection a second time, over the same events from the same start, and compares. The first run is as always. The second
 * one goes on, after each comparison, from what JSON keeps of its state: so it shows, too, what a run from a snapshot would do otherwise.
 */
export class SecondRun<S, E extends EventMap> {
  readonly #projection: Projection<S, E>;
  readonly #start: Snapshot;
  readonly #marks: { readonly seq: number; readonly hash: string }[] = [];
  #next = 1;

  constructor(projection: Projection<S, E>, start: Snapshot) {
    this.#projection = projection;
    this.#start = start;
  }

  /** The first run has applied an event. */
  follow(first: Fold<S, E>): void {
    if (first.events < this.#next) return;
    const { at, state } = first.snapshot();
    this.#marks.push({ seq: at.seq, hash: state.hash });
    // At the beginning more often: most faults show soon.
    const pause = Math.max(EVENTS, Math.ceil(state.bytes.length / BYTES_AN_EVENT));
    this.#next = first.events + Math.min(first.events, pause);
  }

  /** `first`: what the first run came to. @throws EventStoreError NOT_DETERMINISTIC */
  async compare(store: EventStore<E>, first: Snapshot, signal?: AbortSignal): Promise<void> {
    const second = new Fold(this.#projection, this.#start);
    const marks = this.#marks.values();
    let mark = marks.next().value;
    /** Where both were the same. */
    let same = this.#start;
    const toSeq = first.at.seq;
    for await (const event of eventsOf(store, this.#projection, { after: same.at, toSeq, signal })) {
      const problem = attempt(() => second.apply(event));
      const due = event.seq === mark?.seq;
      const found = problem === null && due ? second.settle() : null;
      if (problem !== null || (found && found.state.hash !== mark?.hash))
        throw await this.#search(store, same, event, mark?.hash ?? first.state.hash, problem ?? found?.state.hash);
      if (found) [same, mark] = [found, marks.next().value];
    }
    const last = second.snapshot();
    if (last.state.hash !== first.state.hash)
      throw await this.#search(store, same, second.head, first.state.hash, last.state.hash);
  }

  /** Looks for the event behind which the states differ first. When it does not happen again, all that is known is where it showed. */
  async #search(
    store: EventStore<E>,
    same: Snapshot,
    shown: Pick<Head, "seq">,
    expected: string,
    actual = "",
  ): Promise<EventStoreError> {
    const events: RecordedEvent<E>[] = [];
    for await (const event of eventsOf(store, this.#projection, { after: same.at, toSeq: shown.seq }))
      events.push(event);
    const often = same.state.bytes.length * events.length <= SEARCH_BYTES;
    const differ = (count: number): Difference | null => {
      const run = (often: boolean): string => this.#run(same, events.slice(0, count), often);
      const [one, other] = [run(false), run(often)];
      return one === other ? null : { expected: one, actual: other };
    };
    let found = differ(events.length);
    if (found === null && events.length > 1) {
      const where = `somewhere from seq ${String(same.at.seq + 1)} to ${String(shown.seq)}`;
      return this.#error(where, shown.seq, { expected, actual });
    }
    let [low, high] = [0, events.length];
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      const difference = differ(middle);
      if (difference === null) low = middle;
      else [high, found] = [middle, difference];
    }
    const first = events[high - 1];
    return this.#error(
      `first at seq ${String(first?.seq)} (type ${String(first?.type)})`,
      first?.seq ?? shown.seq,
      found ?? { expected, actual },
    );
  }

  /** What it comes to; `often`: read back from JSON after each event. The events are copied: apply may change what it is given. */
  #run(start: Snapshot, events: readonly RecordedEvent<E>[], often: boolean): string {
    const fold = new Fold(this.#projection, start);
    const problem = attempt(() => {
      for (const event of events) {
        fold.apply(structuredClone(event));
        if (often) fold.settle();
      }
    });
    return problem ?? fold.snapshot().state.hash;
  }

  #error(where: string, seq: number, { expected, actual }: Difference): EventStoreError {
    const message = `${nameOf(this.#projection)} gave two different states for the same events, ${where}`;
    return new EventStoreError("NOT_DETERMINISTIC", message, {
      facts: { seq, expected, actual },
      hint: "apply may use nothing but its arguments: no clock, no chance, nothing kept outside of the state; and of the state only what JSON keeps: no BigInt within ±(2^53 − 1), no object that stands in two places and is changed in one",
    });
  }
}

/** SHA-256 of the states, or how a run failed. */
interface Difference {
  readonly expected: string;
  readonly actual: string;
}

/** Why it failed; null when it did not. */
function attempt(work: () => void): string | null {
  try {
    work();
    return null;
  } catch (error) {
    if (error instanceof EventStoreError) return error.message;
    throw error;
  }
}
