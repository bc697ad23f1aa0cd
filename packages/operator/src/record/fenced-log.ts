import {
  canonicalState,
  EventStoreError,
  JsonText,
  parseJson,
  project,
  type EventStore,
  type Head,
  type JsonObject,
  type NewEvent,
  type OnWarning,
  type Projected,
  type RecordedEvent,
  type Runtime,
} from "@rynxs/event-store";
import { LeadershipLostError, type Leadership } from "../election/port.js";
import { isLoggedState, LEADER_ELECTED, LOGGED_STATE, loggedChange, SOURCE, type LoggedState } from "./logged-state.js";

export interface FencedLogOptions {
  /** meta.writer_id of every event. */
  readonly writerId: string;
  readonly runtime: Runtime;
  readonly onWarning?: OnWarning | undefined;
  /** Told of each change of an object that the log holds, in the order of the log: of others' records and of our own. */
  readonly onChange?: ((key: string, digest: string, event: RecordedEvent) => void) | undefined;
  readonly on?: Partial<FencedLogEvents> | undefined;
}

export interface FencedLogEvents {
  /** The log has been read up to its head; milliseconds. */
  replayed(ms: number): void;
  /** So many events were written at once; milliseconds that it took. */
  appended(types: readonly string[], ms: number): void;
  head(head: Head): void;
}

/** What an event says; writer and fencing token are added. */
export interface Entry {
  readonly type: string;
  readonly aggregateId: string;
  /** Canonical JSON of an object. */
  readonly payload: string;
  readonly resource: string;
}

/** One event in the log. */
export interface Logged {
  readonly seq: number;
  readonly eventHash: string;
}

/** What a snapshot that somebody else wrote leads to. */
const SNAPSHOT_FAULTS: readonly string[] = ["PROJECTION_FAILED", "NOT_DETERMINISTIC"];

const LEASES = "leases.coordination.k8s.io";

/**
 * The log as one of several possible leaders writes it. Every append names the hash of the last record that was read here, so that it can only land
 * right behind what this process knows. The first append of a leadership is a LeaderElected event with the next epoch; when
 * another one shows up, this process was deposed, and appends no more. Hence the events of two epochs are never mixed, whatever
 * a paused, partitioned or mis-clocked process believes: docs/operations/operator.md, "Fencing".
 */
export class FencedLog {
  readonly #store: EventStore;
  readonly #options: FencedLogOptions;
  #state: LoggedState = { leader: null, objects: {} };
  #head: Head = { seq: -1, hash: "0".repeat(64) };
  /** Seq of the LeaderElected event by which this process took over last. */
  #electedAt = -1;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(store: EventStore, options: FencedLogOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** As of the last record that was read. */
  get state(): LoggedState {
    return this.#state;
  }

  get head(): Head {
    return this.#head;
  }

  /** Reads the whole log, from its newest snapshot on. @throws as `project` */
  load(signal: AbortSignal): Promise<void> {
    return this.#timed(async () => {
      const { state, head } = await this.#projected(signal);
      this.#state = state;
      this.#moveTo(head);
    });
  }

  async #projected(signal: AbortSignal): Promise<Projected<LoggedState>> {
    const { runtime, onWarning } = this.#options;
    const options = { signal, runtime, ...(onWarning && { onWarning }) };
    let why: string;
    try {
      const projected = await project(this.#store, LOGGED_STATE, { ...options, snapshot: true });
      if (isLoggedState(projected.state)) return projected;
      why = "it is no state of this projection";
    } catch (error) {
      const isSnapshots = error instanceof EventStoreError && SNAPSHOT_FAULTS.includes(error.code);
      if (!isSnapshots) throw error;
      why = error.message;
    }
    // Whatever lies beside the log, the log tells.
    onWarning?.({ code: "SNAPSHOT_UNUSABLE", message: `a snapshot is of no use (${why}): the whole log is read` });
    return project(this.#store, LOGGED_STATE, { ...options, useSnapshots: false });
  }

  /** Reads what has come since. @throws as `EventStore.read` */
  follow(signal?: AbortSignal): Promise<void> {
    return this.#inTurn(() => this.#catchUp(signal));
  }

  /**
   * Makes the log say that this process leads. Whatever an earlier leadership of this process left open is settled first.
   * @returns the epoch @throws LeadershipLostError; as `EventStore.append`
   */
  takeOver(leadership: Leadership): Promise<number> {
    return this.#timed(async () => {
      for (;;) {
        await this.#store.settle();
        await this.#catchUp(leadership.signal);
        const epoch = (this.#state.leader?.epoch ?? 0) + 1;
        const { holder, lease, transitions } = leadership;
        const payload = canonicalState({ epoch, holder, lease, lease_transitions: transitions });
        const entry = { type: LEADER_ELECTED, aggregateId: lease, payload, resource: LEASES };
        const [elected] = (await this.#write(leadership, epoch, [entry])) ?? [];
        if (elected === undefined) continue;
        this.#electedAt = elected.seq;
        return epoch;
      }
    });
  }

  /**
   * Appends right behind what `state` was read from. Null when others' records came in between: `state` knows them now, and it is for
   * the caller to see what is still to be said. @throws LeadershipLostError; as `EventStore.append`
   */
  append(leadership: Leadership, epoch: number, entries: readonly Entry[]): Promise<readonly Logged[] | null> {
    return this.#inTurn(async () => {
      this.#checkEpoch(epoch);
      const written = await this.#write(leadership, epoch, entries);
      if (written !== null) return written;
      await this.#catchUp(leadership.signal);
      this.#checkEpoch(epoch);
      return null;
    });
  }

  /** After an append that failed: finds out what became of it, and reads what the log holds now. */
  recover(signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      await this.#store.settle();
      await this.#catchUp(signal);
    });
  }

  /** Payload of the record at `seq`, as canonical JSON. */
  async payloadAt(seq: number, signal: AbortSignal): Promise<string> {
    for await (const event of this.#store.read({ fromSeq: seq, toSeq: seq, signal }))
      return canonicalState(event.payload);
    throw new EventStoreError("ABORTED", `the record ${String(seq)} was not read`);
  }

  #checkEpoch(epoch: number): void {
    const leader = this.#state.leader;
    if (leader?.epoch === epoch && leader.seq === this.#electedAt) return;
    throw new LeadershipLostError(
      "log",
      `the log has a newer leader: epoch ${String(leader?.epoch ?? 0)}, ${leader?.holder ?? "nobody"}; ours was ${String(epoch)}`,
    );
  }

  async #write(leadership: Leadership, epoch: number, entries: readonly Entry[]): Promise<readonly Logged[] | null> {
    const { runtime, on } = this.#options;
    if (!leadership.valid()) throw new LeadershipLostError("lease", "the lease was not renewed in time");
    const started = runtime.elapsed();
    const events = entries.map((entry) => this.#event(entry, epoch));
    const options = { expectedPrevHash: this.#head.hash, signal: leadership.signal };
    const [only] = events;
    const result =
      events.length === 1 && only
        ? await this.#store.append(only, options)
        : await this.#store.appendBatch(events, options);
    if (!result.committed) return null;
    const records = "records" in result ? result.records : [result];
    for (const [index, { seq, eventHash, prevHash }] of records.entries()) {
      const { type, aggregateId, payload, meta } = events[index] as Written;
      const recorded = { seq, type, aggregateId, eventHash, prevHash, ts: 0, hashVersion: 1 } as const;
      this.#fold({ ...recorded, payload: parseJson(payload.canonical) as JsonObject, meta });
    }
    on?.appended?.(
      entries.map(({ type }) => type),
      runtime.elapsed() - started,
    );
    return records;
  }

  #event({ type, aggregateId, payload, resource }: Entry, epoch: number): Written & NewEvent {
    return {
      type,
      aggregateId,
      payload: JsonText.parse(payload),
      meta: { source: SOURCE, resource, writer_id: this.#options.writerId, fencing_token: epoch },
    };
  }

  async #catchUp(signal?: AbortSignal): Promise<void> {
    const { seq } = this.#head;
    const anchor = seq >= 0 ? { anchor: this.#head } : {};
    for await (const event of this.#store.read({ fromSeq: seq + 1, ...anchor, signal })) this.#fold(event);
  }

  #fold(event: RecordedEvent): void {
    this.#state = LOGGED_STATE.apply(this.#state, event);
    this.#moveTo({ seq: event.seq, hash: event.eventHash });
    const change = loggedChange(event);
    if (change) this.#options.onChange?.(change.key, change.digest, event);
  }

  #moveTo(head: Head): void {
    this.#head = head;
    this.#options.on?.head?.(head);
  }

  #timed<T>(work: () => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      const started = this.#options.runtime.elapsed();
      const result = await work();
      this.#options.on?.replayed?.(this.#options.runtime.elapsed() - started);
      return result;
    });
  }

  /** One thing at a time: `state` and `head` belong together. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

interface Written {
  readonly type: string;
  readonly aggregateId: string;
  readonly payload: JsonText;
  readonly meta: {
    readonly source: string;
    readonly resource: string;
    readonly writer_id: string;
    readonly fencing_token: number;
  };
}
