import type { AnyEvents, EventMap, RecordedEvent } from "../../core/event.js";
import { systemRuntime, type Runtime } from "../../system/runtime.js";
import type { EventStore } from "../port.js";
import type { Position, SubscribeOptions } from "./port.js";
import { PositionKeeper, type SaveEvery } from "./position-keeper.js";
import { positionsOf } from "./positions.js";
import { warnOfTrouble } from "./trouble.js";

export interface ConsumeOptions<
  E extends EventMap = AnyEvents,
  T extends keyof E & string = keyof E & string,
> extends Pick<SubscribeOptions<T>, "to" | "filter" | "signal" | "pollMs" | "onTrouble"> {
  /** Of the position: 1 to 200 of `A-Z a-z 0-9 . _ -`. */
  readonly name: string;
  /** One event at a time, in order. What it throws ends the loop, and the event is not passed. */
  readonly handler: (event: RecordedEvent<Pick<E, T>>) => Promise<void> | void;
  /** Where to begin when nothing was saved yet: a seq, default 0. No earlier event is ever handled. */
  readonly from?: number | undefined;
  /** Who this is, for people who look at the position. */
  readonly consumer?: string | undefined;
  readonly saveEvery?: SaveEvery | undefined;
  /** Clock, chance and ids, for tests. */
  readonly runtime?: Runtime | undefined;
}

/**
 * Handles the events of a log one by one, at least once each, going on behind the last one saved. The position is saved after the
 * handler, and when the loop ends for whatever reason: after a crash, the events since the last save are handled again. Ends, with the
 * position that is saved, when the signal is aborted (the handler under way is waited for) or behind `to`.
 * @throws what the handler throws; EventStoreError POSITION_TAKEN when another consumer of the name moved on; VerificationError when the
 *   log is broken, or does not hold the record that was saved; ConfigError; BackendError
 */
export async function consume<E extends EventMap = AnyEvents, T extends keyof E & string = keyof E & string>(
  store: EventStore<E>,
  options: ConsumeOptions<E, T>,
): Promise<Position | null> {
  const { name, consumer, handler, from, to, filter, signal, pollMs, saveEvery = {} } = options;
  const { runtime = systemRuntime, onTrouble = warnOfTrouble } = options;
  const position = await positionsOf(store, runtime).open(name, { consumer });
  const keeper = new PositionKeeper(position, { every: saveEvery, runtime, onTrouble, signal });
  const { saved } = position;
  const subscription = store.subscribe<T>({
    ...(saved ? { anchor: { seq: saved.seq, hash: saved.hash } } : { from }),
    to,
    filter,
    signal,
    pollMs,
    onTrouble,
    onProgress: (head) => keeper.passed(head),
  });
  try {
    for await (const event of subscription) {
      // A position may have been saved before the log had come to where this begins.
      if (event.seq >= (from ?? 0)) await handler(event);
      await keeper.handled({ seq: event.seq, hash: event.eventHash });
    }
  } catch (error) {
    // Why it ended is what the caller has to know; what is not saved is handled again.
    await keeper.save().catch(() => undefined);
    throw error;
  }
  await keeper.save();
  return position.saved;
}
