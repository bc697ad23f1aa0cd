import { ChainWalk } from "../core/chain.js";
import type { Head } from "../core/event.js";
import { MAX_OBJECT_BYTES, walkObject } from "./event-object.js";
import { firstEventAfter } from "./listing.js";
import type { WalkStep } from "./reader.js";
import { factsOf, type LogOnObjects } from "./tail.js";

export interface LookOptions {
  /** Answer for certain, whatever it costs. Else a record may be overlooked whose key is not the next one. */
  readonly sure: boolean;
  /** Hand out nothing behind this seq. */
  readonly toSeq: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Watches the end of a log for what is appended behind the last record seen, at one request a look: the next object itself, so
 * that what is found is already here. It gives no verdicts: what is not good throughout is left to a read.
 */
export class ObjectWatch {
  readonly #log: LogOnObjects;

  constructor(log: LogOnObjects) {
    this.#log = log;
  }

  /** Null: nothing new. A step: the next records, verified as linking to `head`. `more`: there is something; read it. */
  async look(head: Head, { sure, toSeq, signal }: LookOptions): Promise<WalkStep | "more" | null> {
    const { objects, keys } = this.#log;
    if (sure) return (await firstEventAfter(objects, keys, head.seq, signal)) === null ? null : "more";
    const keySeq = head.seq + 1;
    const key = keys.event(keySeq);
    const object = await objects.get(key, { range: WHOLE, signal });
    if (object === null) return null;
    if (object.body.length > MAX_OBJECT_BYTES) return "more";
    const chain = new ChainWalk(head);
    const { records, count, fault } = walkObject(chain, object.body, keySeq, factsOf(this.#log, key), { toSeq });
    return fault === null ? { records, count, head: chain.head } : "more";
  }
}

/** One byte more shows that there is more. */
const WHOLE = { start: 0, end: MAX_OBJECT_BYTES + 1 };
