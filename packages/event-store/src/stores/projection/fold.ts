import { EventStoreError } from "../../core/errors.js";
import type { EventMap, Head, RecordedEvent } from "../../core/event.js";
import type { EventStore } from "../port.js";
import type { Projection } from "./projection.js";
import type { Snapshot } from "./snapshot.js";
import { decodeState, encodeState, type EncodedState } from "./state.js";

/** A projection's state on its way through the events. */
export class Fold<S, E extends EventMap> {
  readonly #projection: Projection<S, E>;
  #state: S;
  /** The last record that it has seen. */
  head: Head;
  /** Events applied since `start`. */
  events = 0;

  constructor(projection: Projection<S, E>, start: Snapshot) {
    this.#projection = projection;
    this.#state = decodeState(start.state.bytes) as S;
    this.head = start.at;
  }

  /** @throws EventStoreError PROJECTION_FAILED */
  apply(event: RecordedEvent<E>): void {
    const { seq, type, eventHash } = event;
    let next: unknown;
    try {
      next = this.#projection.apply(this.#state, event);
    } catch (error) {
      throw failed(this.#projection, `threw at seq ${String(seq)} (type ${type}): ${reasonOf(error)}`, { seq }, error);
    }
    if (next === undefined || next instanceof Promise) {
      const what = next === undefined ? "nothing" : "a promise";
      throw failed(this.#projection, `gave ${what} at seq ${String(seq)} (type ${type}), not a state`, { seq });
    }
    this.#state = next as S;
    this.head = { seq, hash: eventHash };
    this.events++;
  }

  /** What it comes to now. @throws EventStoreError NOT_DETERMINISTIC, TOO_LARGE */
  snapshot(): Snapshot {
    return { at: this.head, state: encodeState(this.#state, nameOf(this.#projection), this.head.seq) };
  }

  /** As `snapshot`, and goes on as whoever starts from that: what JSON does not keep is gone from here on, too. */
  settle(): Snapshot {
    const snapshot = this.snapshot();
    this.#state = decodeState(snapshot.state.bytes) as S;
    return snapshot;
  }
}

/** @throws EventStoreError PROJECTION_FAILED, NOT_DETERMINISTIC, TOO_LARGE */
export function initialState<S, E extends EventMap>(projection: Projection<S, E>): EncodedState {
  const { initial } = projection;
  let state: unknown = initial;
  try {
    if (typeof initial === "function") state = (initial as () => S)();
  } catch (error) {
    throw failed(projection, `has an initial state that threw: ${reasonOf(error)}`, {}, error);
  }
  return encodeState(state, nameOf(projection));
}

/** The events behind `after`, up to `toSeq`, that the projection wants. */
export async function* eventsOf<S, E extends EventMap>(
  store: EventStore<E>,
  { filter }: Projection<S, E>,
  range: { readonly after: Head; readonly toSeq: number; readonly signal?: AbortSignal | undefined },
): AsyncGenerator<RecordedEvent<E>> {
  const { after, toSeq, signal } = range;
  if (after.seq >= toSeq) return;
  const types = filter?.type === undefined ? null : new Set<string>([filter.type].flat());
  const [type] = types?.size === 1 ? (types as Set<keyof E & string>) : [];
  const anchor = after.seq < 0 ? {} : { anchor: after };
  for await (const event of store.read({ ...anchor, toSeq, signal, type, aggregateId: filter?.aggregateId })) {
    if (types === null || types.has(event.type)) yield event;
  }
}

export function nameOf({ name, version }: { readonly name: string; readonly version: number }): string {
  return `projection ${name}, version ${String(version)},`;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

function failed(
  projection: { readonly name: string; readonly version: number },
  what: string,
  facts: { readonly seq?: number },
  cause?: unknown,
): EventStoreError {
  return new EventStoreError("PROJECTION_FAILED", `${nameOf(projection)} ${what}`, {
    facts,
    hint: "apply must be synchronous, take every event that the log has, and return the state: correct it; the log is not at fault",
    cause,
  });
}
