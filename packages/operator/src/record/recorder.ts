import {
  canonicalState,
  EventStoreError,
  InvalidEventError,
  type RecordedEvent,
  type Runtime,
} from "@rynxs/event-store";
import { LeadershipLostError, type Leadership } from "../election/port.js";
import type { KubeObject } from "../kube/port.js";
import type { ObjectKey, ObservationSink, WatchScope } from "../watch/sink.js";
import { ABSENT } from "./logged-state.js";
import type { Entry, FencedLog, Logged } from "./fenced-log.js";
import { LiveObjects, type LiveObject } from "./live-objects.js";
import {
  aggregateIdOf,
  conditionsOf,
  eventTypeOf,
  keyOf,
  loggedResource,
  observe,
  observeDeletion,
  subjectOf,
  type Observation,
  type Subject,
} from "./observation.js";
import { Pending } from "./pending.js";
import { recordedSeqOf } from "./recorded-condition.js";

export interface RecorderOptions {
  readonly log: FencedLog;
  readonly runtime: Runtime;
  /** Asks the API server whether an object is there, and which: its uid, or null. */
  readonly look: (subject: Subject, signal: AbortSignal) => Promise<string | null>;
  /** Ends all lists and watches, calls `between`, and begins them anew. */
  readonly relist: (between: () => void) => Promise<void>;
  /** Observations in one write; more than 1 only where the store shares writes. */
  readonly batch: number;
  /** Characters of payload that wait at most, before watches are held back. */
  readonly capacity: number;
  readonly on?: Partial<RecorderEvents> | undefined;
}

export interface RecorderEvents {
  /** It is in the log. */
  recorded(observation: Observation, at: Logged): void;
  /** Its status does not say what the log holds of it. */
  unreported(object: LiveObject, seq: number): void;
  /** It can never be recorded. */
  refused(subject: Subject, error: unknown): void;
  /** An append or a read failed; it is tried again. */
  troubled(error: unknown): void;
  /** What had failed has been done. */
  worksAgain(): void;
  leads(epoch: number): void;
}

const RETRY_BASE_MS = 100;
const RETRY_CAP_MS = 10_000;

/**
 * Makes an event of every change of the watched objects, exactly once, whoever of the replicas leads. What is to be recorded is the
 * difference between what was observed and what the log holds; both are followed by every replica, so that a new leader goes on where the old one ended.
 */
export class Recorder implements ObservationSink {
  readonly #options: RecorderOptions;
  readonly #pending: Pending;
  /** By what they cover: each round of lists has scopes of its own. */
  readonly #scopes = new Map<string, { readonly scope: WatchScope; readonly live: LiveObjects }>();
  readonly #closed = new AbortController();
  #leads = false;
  /** Of the leadership that lasts or was the last. */
  #epoch = 0;
  /** Seq of the LeaderElected event that it began with, or of one behind it. */
  #ledFrom = -1;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#pending = new Pending((key) => this.#loggedDigest(key), options.capacity);
  }

  /** Observations that are not in the log yet. */
  get depth(): number {
    return this.#pending.size;
  }

  /** The log holds this now: given to the log as its `onChange`. */
  logged(key: string, digest: string, { seq, eventHash, meta }: RecordedEvent): void {
    const observation = this.#pending.recorded(key, digest);
    const isOurs = this.#leads && meta["fencing_token"] === this.#epoch;
    if (observation !== null && isOurs) this.#options.on?.recorded?.(observation, { seq, eventHash });
  }

  /** Holds back no watch any more: nothing will be recorded. */
  close(): void {
    this.#closed.abort();
  }

  async observed(scope: WatchScope, object: KubeObject): Promise<void> {
    const { runtime, on } = this.#options;
    let observation;
    try {
      observation = observe(scope.resource, object, runtime.elapsed());
    } catch (error) {
      on?.refused?.(subjectOf(scope.resource, object.metadata), error);
      return;
    }
    const live = this.#liveOf(scope);
    if (live.isReplaced(observation)) await this.#offer(observeDeletion(observation.subject, observation.at, false));
    live.note(observation, recordedSeqOf(conditionsOf(object)));
    await this.#offer(observation);
  }

  async deleted(scope: WatchScope, object: KubeObject): Promise<void> {
    const subject = subjectOf(scope.resource, object.metadata);
    this.#liveOf(scope).gone(keyOf(subject));
    // It may only have lost the label that selects it.
    const doubtful = scope.labelSelector !== undefined;
    await this.#offer(observeDeletion(subject, this.#options.runtime.elapsed(), doubtful));
  }

  async listed(scope: WatchScope, keys: ReadonlySet<ObjectKey>): Promise<void> {
    const resource = loggedResource(scope.resource);
    const live = this.#liveOf(scope);
    live.keepOnly(new Set([...keys].map((key) => `${resource} ${key}`)));
    // What was recorded since is reported by itself.
    if (this.#leads) this.#report(live, this.#ledFrom);
    const within = scope.namespace === undefined ? "" : `${scope.namespace}/`;
    for (const missing of this.#missingNow(`${resource} ${within}`)) await this.#offer(missing);
  }

  /**
   * Records until the leadership is lost, or `draining` has aborted and nothing is pending. @throws LeadershipLostError;
   * VerificationError: the log is not what it should be, and nothing may be built on it
   */
  async lead(leadership: Leadership, draining: AbortSignal): Promise<void> {
    const { log, on } = this.#options;
    const epoch = await this.#persist(leadership, () => log.takeOver(leadership));
    on?.leads?.(epoch);
    this.#epoch = epoch;
    this.#ledFrom = log.head.seq;
    this.#leads = true;
    try {
      if (this.#pending.isOutrun) await this.#relist();
      // Whether there is room or not: who makes room is waiting for this.
      for (const missing of this.#missingNow()) this.#pending.offer(missing);
      for (const { live } of this.#scopes.values()) this.#report(live);
      while (!(draining.aborted && this.#pending.size === 0)) {
        const next = this.#pending.first(this.#options.batch);
        if (next.length > 0) await this.#persist(leadership, () => this.#record(leadership, epoch, next));
        else await this.#pending.changed(AbortSignal.any([leadership.signal, draining]));
        if (leadership.signal.aborted) throw leadership.signal.reason;
      }
    } finally {
      this.#leads = false;
    }
  }

  async #record(leadership: Leadership, epoch: number, next: readonly Observation[]): Promise<void> {
    const { log, on } = this.#options;
    const sure = await this.#checked(next, leadership.signal);
    if (sure.length === 0) return;
    const entries = await Promise.all(sure.map((observation) => this.#entry(observation, leadership.signal)));
    try {
      await log.append(leadership, epoch, entries);
    } catch (error) {
      const [only, other] = sure;
      if (!(error instanceof EventStoreError && (error instanceof InvalidEventError || error.code === "TOO_LARGE")))
        throw error;
      // One by one, so that the one that is refused does not keep the others back.
      if (other) for (const observation of sure) await this.#record(leadership, epoch, [observation]);
      else if (only) {
        on?.refused?.(only.subject, error);
        this.#pending.discard(only);
      }
    }
  }

  /**
   * Those that still wait: an append that failed may have been stored after all. Without the deletions that did not happen, and what the log
   * says already: it stood behind one of those.
   */
  async #checked(next: readonly Observation[], signal: AbortSignal): Promise<readonly Observation[]> {
    const sure: Observation[] = [];
    for (const observation of next) {
      if (!this.#pending.isNext(observation)) continue;
      if (observation.digest === this.#loggedDigest(observation.key)) {
        this.#pending.discard(observation);
        continue;
      }
      if (observation.doubtful) {
        const { subject } = observation;
        const uid = await this.#options.look(subject, signal);
        const isThere = uid !== null && (subject.uid === undefined || subject.uid === uid);
        if (isThere) {
          this.#pending.discard(observation);
          continue;
        }
      }
      sure.push(observation);
    }
    return sure;
  }

  async #entry(observation: Observation, signal: AbortSignal): Promise<Entry> {
    const { log } = this.#options;
    const { key, subject, payload } = observation;
    const last = log.state.objects[key];
    return {
      type: eventTypeOf(observation),
      aggregateId: aggregateIdOf(subject),
      // What a deletion deletes is what was recorded last, whether it was seen or concluded.
      payload: payload ?? (last ? await this.#payloadAt(last[0], subject, signal) : "{}"),
      resource: loggedResource(subject.resource),
    };
  }

  async #payloadAt(seq: number, { name, namespace }: Subject, signal: AbortSignal): Promise<string> {
    try {
      return await this.#options.log.payloadAt(seq, signal);
    } catch (error) {
      if (!(error instanceof EventStoreError && error.code === "ARCHIVED")) throw error;
      // To wait until somebody restores it would hold back everything else.
      return canonicalState({ name, ...(namespace !== undefined && { namespace }) });
    }
  }

  /** Again and again, as long as it may help and the leadership lasts. */
  async #persist<T>(leadership: Leadership, work: () => Promise<T>): Promise<T> {
    const { runtime, log, on } = this.#options;
    for (let tries = 0; ; tries++) {
      try {
        if (tries > 0) await log.recover(leadership.signal);
        const done = await work();
        if (tries > 0) on?.worksAgain?.();
        return done;
      } catch (error) {
        if (error instanceof LeadershipLostError) throw error;
        if (leadership.signal.aborted) throw leadership.signal.reason;
        if (error instanceof EventStoreError && error.action === "evidence") throw error;
        on?.troubled?.(error);
        await runtime.sleep(runtime.random() * Math.min(RETRY_CAP_MS, RETRY_BASE_MS * 2 ** tries), leadership.signal);
        if (!leadership.valid()) throw new LeadershipLostError("lease", "the lease was not renewed in time");
      }
    }
  }

  /** The deletions of what the log holds, under keys that begin so, and the cluster has no more. */
  *#missingNow(prefix = ""): Generator<Observation> {
    const at = this.#options.runtime.elapsed();
    for (const key of Object.keys(this.#options.log.state.objects)) {
      const subject = key.startsWith(prefix) ? this.#missing(key) : null;
      if (subject) yield observeDeletion(subject, at, true);
    }
  }

  /** An object of the log that every scope that would show it has listed without it. */
  #missing(key: string): Subject | null {
    const [resource = "", id = ""] = splitOnce(key, " ");
    let found: Subject | null = null;
    for (const { scope, live } of this.#scopes.values()) {
      if (loggedResource(scope.resource) !== resource) continue;
      const [namespace, name] = scope.resource.namespaced ? splitOnce(id, "/") : [undefined, id];
      if (name === undefined || (scope.namespace !== undefined && scope.namespace !== namespace)) continue;
      if (!live.listed || live.has(key)) return null;
      found = { resource: scope.resource, namespace, name, uid: undefined, generation: undefined };
    }
    return found;
  }

  /** The log holds what was not observed here: the watches lag behind it, and what they still bring may be history. Lists tell the present. */
  async #relist(): Promise<void> {
    // That one of these was made anew since we saw it is for the log to say, not for us: it may hold states of the new one.
    const outrun = this.#pending.outrun;
    const forget = (): void => {
      this.#pending.clear();
      for (const { live } of this.#scopes.values()) {
        live.listed = false;
        for (const key of outrun) live.doubt(key);
      }
    };
    // First to let go of informers that wait for room.
    forget();
    await this.#options.relist(forget);
  }

  /** Of objects that were recorded before `before`. */
  #report(live: LiveObjects, before = Infinity): void {
    const { log, on } = this.#options;
    for (const object of live.values()) {
      const seq = log.state.objects[object.key]?.[0];
      if (seq !== undefined && seq < before && seq !== object.reportedSeq) on?.unreported?.(object, seq);
    }
  }

  #loggedDigest(key: string): string {
    return this.#options.log.state.objects[key]?.[1] ?? ABSENT;
  }

  async #offer(observation: Observation): Promise<void> {
    const pending = this.#pending;
    // A replica that does not lead cannot make room by recording; what it keeps is a hint, not the only copy.
    if (pending.isFull && !this.#leads) pending.coalesce();
    while (pending.isFull && !this.#closed.signal.aborted) await pending.changed(this.#closed.signal);
    pending.offer(observation);
  }

  #liveOf(scope: WatchScope): LiveObjects {
    const name = JSON.stringify([scope.resource.name, scope.namespace, scope.labelSelector]);
    let known = this.#scopes.get(name);
    if (!known) this.#scopes.set(name, (known = { scope, live: new LiveObjects() }));
    return known.live;
  }
}

function splitOnce(text: string, separator: string): [string | undefined, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}
