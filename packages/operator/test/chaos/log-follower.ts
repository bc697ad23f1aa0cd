import type { EventStore, RecordedEvent } from "@rynxs/event-store";
import { loggedChange } from "../../src/record/logged-state.js";

/** Reads a log as it grows. */
export class LogFollower {
  readonly events: RecordedEvent[] = [];
  /** By the recorder's key: digest of an object's last event. */
  readonly digests: Map<string, string> = new Map<string, string>();
  readonly #store: EventStore;

  constructor(store: EventStore) {
    this.#store = store;
  }

  async follow(): Promise<void> {
    const last = this.events.at(-1);
    const from = last ? { fromSeq: last.seq + 1, anchor: { seq: last.seq, hash: last.eventHash } } : {};
    for await (const event of this.#store.read(from)) {
      this.events.push(event);
      const change = loggedChange(event);
      if (change) this.digests.set(change.key, change.digest);
    }
  }
}
