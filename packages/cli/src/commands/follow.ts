import type { DurablePosition, EventStore, Head, SubscribeOptions, Subscription } from "@rynxs/event-store";
import type { Context } from "../context.js";
import type { Output } from "../output.js";

/** What prints the events of a subscription, until it has had enough. */
export interface FollowPrinter {
  print(subscription: Subscription): Promise<void>;
}

/** Under a name, what was printed is remembered at most once in so many milliseconds while events keep coming. */
const SAVE_MS = 1_000;

/** Prints what the log holds and then what is appended, until `stop`, or until nobody wants more. */
export async function follow(
  store: EventStore,
  options: SubscribeOptions & { readonly position?: string | undefined },
  printer: FollowPrinter,
  { output, interrupts: { stop } }: Context,
): Promise<void> {
  const { position: name, ...range } = options;
  const mark = name === undefined ? null : await Bookmark.open(store, name, output);
  const last = mark?.start ?? null;
  const start = last !== null && last.seq + 1 >= (range.from ?? 0) ? { from: undefined, anchor: last } : {};
  const unread = new AbortController();
  const subscription = store.subscribe({
    ...range,
    ...start,
    signal: AbortSignal.any([stop, unread.signal]),
    onTrouble: ({ code, message }) => {
      output.note(`warning ${code}: ${message}; trying again`);
    },
    onProgress: async (head) => {
      await output.flush();
      await mark?.passed(head);
      if (output.closed) unread.abort();
    },
  });
  const finish = async (): Promise<void> => {
    await output.flush();
    if (subscription.position !== null) await mark?.passed(subscription.position, true);
  };
  try {
    await printer.print(subscription);
  } catch (error) {
    // Why it ended is what matters; what is not remembered is printed again.
    await finish().catch(() => undefined);
    throw error;
  }
  await finish();
}

/** A durable position that follows what was printed and flushed. */
class Bookmark {
  readonly #position: DurablePosition;
  readonly #output: Output;
  #savedAt = -Infinity;

  private constructor(position: DurablePosition, output: Output) {
    this.#position = position;
    this.#output = output;
  }

  static async open(store: EventStore, name: string, output: Output): Promise<Bookmark> {
    const { positionsOf } = await import("@rynxs/event-store");
    return new Bookmark(await positionsOf(store).open(name), output);
  }

  get start(): Head | null {
    return this.#position.saved;
  }

  async passed(head: Head, last = false): Promise<void> {
    // A reader that went away has not seen what it was sent.
    if (this.#output.closed || head.seq <= (this.start?.seq ?? -1)) return;
    const now = performance.now();
    if (!last && now - this.#savedAt < SAVE_MS) return;
    await this.#position.save(head);
    this.#savedAt = now;
  }
}
