import { ConfigError, EventStoreError } from "../../core/errors.js";
import type { Head } from "../../core/event.js";
import { isHash } from "../../core/hash.js";
import { LogKeys } from "../../log/keys.js";
import { Turns } from "../../log/turns.js";
import type { ObjectStore, PutOutcome } from "../../objects/port.js";
import { backOff, systemRuntime, type Runtime } from "../../system/runtime.js";
import type { EventStore } from "../port.js";
import { checkSeq } from "../reading.js";
import { formatPosition, parsePosition, type StoredPosition } from "./position-file.js";
import type { DurablePosition, Position, PositionStore } from "./port.js";

/** How long one save is tried; milliseconds. */
const SAVE_MS = 20_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 3_000;

/** The positions of a log's consumers, each an object beside it: `_positions/{name}.json`. `runtime`: clock and ids, for tests. */
export function positionsOf(store: Pick<EventStore, "derived">, runtime: Runtime = systemRuntime): PositionStore {
  const { objects, root } = store.derived;
  const keys = new LogKeys(root);
  return {
    open: async (name, { consumer } = {}) => {
      const key = keys.position(name);
      checkConsumer(consumer);
      const object = new PositionObject(objects, key, name);
      return new ObjectPosition(object, await object.load(), consumer, runtime);
    },
    remove: (name) => objects.delete(keys.position(name)),
  };
}

interface Loaded {
  readonly position: StoredPosition;
  readonly etag: string;
}

class PositionObject {
  readonly name: string;
  readonly key: string;
  readonly #objects: ObjectStore;

  constructor(objects: ObjectStore, key: string, name: string) {
    this.#objects = objects;
    this.key = key;
    this.name = name;
  }

  async load(): Promise<Loaded | null> {
    const object = await this.#objects.get(this.key);
    return object && { position: parsePosition(object.body, this.name, this.key), etag: object.etag };
  }

  put(body: Buffer, etag: string | null): Promise<PutOutcome> {
    return etag === null
      ? this.#objects.putIfAbsent(this.key, body)
      : this.#objects.replaceIfMatch(this.key, body, etag);
  }
}

/**
 * Invariants: it is put only on condition that the object is still the one that was seen last; no two saves write the same bytes, so an
 * ETag names one save. So a put that lands late, long after it was given up, can land only where nothing else was saved since.
 */
class ObjectPosition implements DurablePosition {
  readonly #object: PositionObject;
  readonly #consumer: string | undefined;
  readonly #runtime: Runtime;
  /** What the ids of this consumer's saves begin with. */
  readonly #owner: string;
  readonly #turns = new Turns();
  #saved: Position | null;
  #etag: string | null;
  #saves = 0;

  constructor(object: PositionObject, loaded: Loaded | null, consumer: string | undefined, runtime: Runtime) {
    this.#object = object;
    this.#consumer = consumer;
    this.#runtime = runtime;
    this.#owner = `${runtime.id()}-`;
    this.#saved = loaded && shown(loaded.position);
    this.#etag = loaded?.etag ?? null;
  }

  get name(): string {
    return this.#object.name;
  }

  get saved(): Position | null {
    return this.#saved;
  }

  async save({ seq, hash }: Head): Promise<void> {
    checkSeq("seq", seq);
    if (!isHash(hash)) throw new ConfigError("a position's hash is 64 lowercase hex digits");
    await this.#turns.run(() => this.#save({ seq, hash }));
  }

  async #save(head: Head): Promise<void> {
    const id = this.#owner + String(this.#saves++);
    const position = { ...head, name: this.name, consumer: this.#consumer, updated: this.#runtime.now(), id };
    const body = formatPosition(position);
    const deadline = this.#runtime.elapsed() + SAVE_MS;
    for (let tries = 0; ; tries++) {
      const outcome = await this.#object.put(body, this.#etag);
      if (outcome.outcome === "stored") {
        this.#moved({ position, etag: outcome.etag });
        return;
      }
      // Refused or unknown: what is there now tells whose save it was. A put that was delivered twice is refused as well.
      const found = await this.#object.load();
      if (found?.position.id === id) {
        this.#moved(found);
        return;
      }
      // An earlier save of this consumer's, of which it never heard: go on from there.
      if (found?.position.id.startsWith(this.#owner) === true) this.#moved(found);
      else if ((found?.etag ?? null) !== this.#etag) throw taken(this.name, this.#object.key, head, found);
      if (this.#runtime.elapsed() >= deadline) throw this.#givenUp(outcome);
      await this.#pause(tries, outcome);
    }
  }

  #moved({ position, etag }: Loaded): void {
    this.#saved = shown(position);
    this.#etag = etag;
  }

  async #pause(tries: number, outcome: PutOutcome): Promise<void> {
    const pause = backOff(this.#runtime, tries, FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
    const asked = outcome.outcome === "unknown" ? (outcome.retryAfterMs ?? 0) : 0;
    await this.#runtime.sleep(Math.max(pause, asked));
  }

  #givenUp(outcome: PutOutcome): EventStoreError {
    if (outcome.outcome === "unknown") return outcome.cause;
    return taken(this.name, this.#object.key, null, null);
  }
}

function shown({ name, seq, hash, consumer, updated }: StoredPosition): Position {
  return { name, seq, hash, consumer, updated };
}

function taken(name: string, key: string, head: Head | null, found: Loaded | null): EventStoreError {
  const by = found?.position.consumer;
  const what =
    found === null ? "was removed" : `was moved by ${by === undefined ? "another consumer" : `consumer ${by}`}`;
  return new EventStoreError("POSITION_TAKEN", `the position ${name} ${what}: this consumer must stop`, {
    facts: {
      key,
      ...(head && { seq: head.seq }),
      ...(found && { actual: found.position.seq }),
    },
    hint: "let one consumer of a name run at a time, or give each a name of its own; starting this one again goes on where the position is now",
  });
}

function checkConsumer(consumer: string | undefined): void {
  if (consumer === undefined || (consumer.isWellFormed() && consumer.length <= 200)) return;
  throw new ConfigError("consumer must be well-formed text of at most 200 characters");
}
