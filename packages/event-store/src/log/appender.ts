import { setImmediate } from "node:timers/promises";
import { ChainWalk } from "../core/chain.js";
import { CommitUnknownError, EventStoreError } from "../core/errors.js";
import { MAX_BATCH_RECORDS, type Head } from "../core/event.js";
import { backOff, type Runtime } from "../system/runtime.js";
import { AppendGroup, blockedBy, type GroupLimits } from "./append-group.js";
import type { AppendJob, AppendOutcome } from "./append-job.js";
import { AppendQueue } from "./append-queue.js";
import { objectBody, walkObject } from "./event-object.js";
import type { HeadKeeper } from "./head-keeper.js";
import { outcomeOfExpired, putAttempt, type Attempt, type Fate } from "./object-put.js";
import { proveBackend } from "./proof.js";
import { advanceTail, factsOf, findTail, type LogOnObjects } from "./tail.js";
import { walkObjects } from "./reader.js";
import { RecentAggregates } from "./recent-aggregates.js";
import { retentionFrom } from "./retention.js";
import { abortedError, Turns } from "./turns.js";

/** The log's last record, as this process saw it. */
interface SeenTail {
  readonly head: Head;
  /** It was the last one later than this reading of the fence's clock. */
  readonly at: number;
}

/** What was the log's last record so long ago may have been pruned with all that came behind it: it must be looked for anew. */
const TAIL_TRUE_MS = 3_600_000;

/** Races lost by stepping record by record, before the tail is looked for by LIST. */
const STEPS_BEFORE_LIST = 4;

/** Default mode: one append an object. */
const ONE: GroupLimits = { appends: 1, records: MAX_BATCH_RECORDS, bytes: Infinity };
/** Batch mode: what waits while a put is under way is the next object. */
const BATCH: GroupLimits = { appends: Infinity, records: MAX_BATCH_RECORDS, bytes: 4 * 1024 * 1024 };

/** What came of a group: `tell` tells those of its appends, or all of them. */
interface Outcome {
  readonly size: number;
  readonly tell: (from?: number, to?: number) => void;
}

/** So many callers are told in one turn of the event loop, when others wait for it. */
const TOLD_AT_ONCE = 64;

/**
 * Tells the callers of a group what became of it while the next put is on its way: it has begun before they hear, and the
 * loop turns in between, so that what they do next does not keep its bytes from leaving.
 */
async function tellSlowly({ size, tell }: Outcome): Promise<void> {
  for (let from = 0; from < size; from += TOLD_AT_ONCE) {
    await setImmediate();
    tell(from, from + TOLD_AT_ONCE);
  }
}

/**
 * Appends to a log by one compare-and-swap per object: a put of the next seq's key that fails if the key exists. Exactly
 * one put is in flight per log; nothing is ever put behind a put whose outcome is open (docs/SPEC.md, "Append"; the table of answers is
 * in docs/ARCHITECTURE.md).
 */
export class Appender {
  readonly #log: LogOnObjects;
  readonly #head: HeadKeeper | null;
  readonly #runtime: Runtime;
  readonly #timeoutMs: number;
  readonly #prove: boolean;
  readonly #limits: GroupLimits;
  readonly #queue = new AppendQueue();
  readonly #turns = new Turns();
  readonly #recent: RecentAggregates;
  #draining: Promise<void> | null = null;
  /** The last put was of several appends. */
  #shared = false;
  /** The verified last record, as far as this process knows. Others may have appended behind it. */
  #tail: SeenTail | null = null;
  /** A put whose outcome is unknown: settled before anything else is put. */
  #open: Attempt | null = null;

  constructor(
    log: LogOnObjects,
    options: { head: HeadKeeper | null; runtime: Runtime; timeoutMs: number; prove: boolean; batch: boolean },
  ) {
    this.#log = log;
    this.#recent = new RecentAggregates((range) => walkObjects(log, { ...range, objectsFirst: true }));
    this.#head = options.head;
    this.#runtime = options.runtime;
    this.#timeoutMs = options.timeoutMs;
    this.#prove = options.prove;
    this.#limits = options.batch ? BATCH : ONE;
  }

  /** The last record this process has seen; null before the first append. */
  get tail(): Head | null {
    return this.#tail?.head ?? null;
  }

  append(job: AppendJob): Promise<AppendOutcome> {
    const outcome = this.#queue.push(job);
    if (!this.#queue.empty) this.#draining ??= this.#drain();
    return outcome;
  }

  settle(): Promise<{ committed: boolean; end: Head } | null> {
    return this.#turns.run(() => this.#settle(this.#runtime.elapsed() + this.#timeoutMs));
  }

  /** The log's last record, asked of it when the appends that came before have ended. */
  refresh(): Promise<Head> {
    return this.#turns.run(async () => {
      const known = this.tail;
      const tail = await this.#see((log) => (known ? advanceTail(log, known) : findTail(log)));
      await this.#recent.reach(tail);
      return tail;
    });
  }

  /** When all appends begun so far have ended. */
  async idle(): Promise<void> {
    await this.#draining;
    await this.#turns.idle();
  }

  /** Runs `work` while nothing is being appended, and looks for the tail anew afterwards. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.run(() => {
      this.#tail = null;
      return work();
    });
  }

  async #drain(): Promise<void> {
    /** What came of a group whose callers are not told yet. */
    let outcome: Outcome | null = null;
    while (!this.#queue.empty) {
      const full = this.#limits === BATCH && this.#queue.records >= BATCH.records;
      const turn = this.#turns.run(async () => {
        // The callers of a shared put come back in the same turn of the event loop as they are answered: they go together
        // again. One caller alone need not wait for that.
        if (this.#shared && !full) await setImmediate();
        return this.#appendNext();
      });
      if (outcome !== null) await tellSlowly(outcome);
      outcome = await turn;
      if (this.#queue.records >= BATCH.records) continue;
      outcome?.tell();
      outcome = null;
    }
    outcome?.tell();
    this.#draining = null;
  }

  /** The next group, from its place in the queue to its outcome. Never throws. Null when there is nobody (left) to tell. */
  async #appendNext(): Promise<Outcome | null> {
    if (this.#queue.empty) return null;
    const until = this.#runtime.elapsed() + this.#timeoutMs;
    const signal = this.#queue.soleSignal;
    const { latest } = this.#queue;
    let group: AppendGroup | null = null;
    try {
      const { tail, fresh } = await this.#ready(until, signal);
      if (this.#queue.versioned) await this.#recent.reach(tail, signal);
      group = AppendGroup.take(this.#queue, tail, this.#limits, this.#recent);
      this.#shared = group.size > 1;
      // The log was not asked on behalf of those that came while it was.
      const askedForAll = fresh && group.latest <= latest;
      const written = await this.#appendGroup(group, tail, askedForAll, until, (rebased) => (group = rebased));
      return { size: written.size, tell: (from, to) => written.acknowledge(from, to) };
    } catch (error) {
      if (group === null) {
        // An append that was aborted meanwhile knows already; whoever came since begins anew.
        if (signal?.aborted !== true) this.#queue.refuse(this.#limits === BATCH ? BATCH.records : 1, error);
        return null;
      }
      const failed = group;
      if (!(error instanceof CommitUnknownError)) return { size: 1, tell: () => failed.refuse(error) };
      return { size: 1, tell: () => failed.leaveUnknown(error.facts, error.cause) };
    }
  }

  /** The tail to append behind, with nothing left open. `fresh`: the log was asked just now. */
  async #ready(until: number, signal?: AbortSignal): Promise<{ readonly tail: Head; readonly fresh: boolean }> {
    try {
      if (this.#prove) await proveBackend(this.#log.objects, this.#log.keys, this.#runtime, until, signal);
      await this.#settle(until, signal);
    } catch (error) {
      throw error instanceof CommitUnknownError ? blockedBy(error) : error;
    }
    if (this.#tail !== null) return { tail: this.#tail.head, fresh: false };
    return { tail: await this.#see((log) => findTail(log, signal)), fresh: true };
  }

  /** The tail that `look` finds. */
  async #see(look: (log: LogOnObjects) => Promise<Head>): Promise<Head> {
    const before = this.#now();
    const head = await look(this.#log);
    // A clock that ran ahead is put right by the first answer of the server.
    this.#tail = { head, at: Math.min(before, this.#now()) };
    return head;
  }

  #now(): number {
    return this.#log.objects.fence?.now() ?? 0;
  }

  async #appendGroup(
    group: AppendGroup,
    tail: Head,
    fresh: boolean,
    until: number,
    rebased: (group: AppendGroup) => void,
  ): Promise<AppendGroup> {
    const follow = async (head: Head): Promise<void> => {
      tail = head;
      if (group.versioned) await this.#recent.reach(head, group.signal);
      group = group.behind(head);
      rebased(group);
    };
    const advance = async (): Promise<void> => {
      const known = tail;
      await follow(await this.#see((log) => advanceTail(log, known, group.signal)));
    };
    for (let races = 0; group.size > 0;) {
      if (group.records.length === 0) {
        // A cached tail may be old: no conflict before the log itself was asked.
        if (fresh) break;
        await advance();
        fresh = true;
        continue;
      }
      const attempt = this.#attempt(group, tail);
      const at = this.#now();
      const fate = await this.#put(attempt, until, group.signal);
      if (fate === "expired") {
        await advance();
        fresh = true;
        continue;
      }
      if (fate.stored) {
        this.#committed(attempt.end, at);
        this.#recent.note(group.records);
        break;
      }
      races++;
      fresh = false;
      await follow(this.#stepTo(attempt, fate.winner));
      if (group.expecting) continue;
      if (races % STEPS_BEFORE_LIST === 0) await advance();
      await this.#pause(races, until, tail, group.signal);
    }
    return group;
  }

  #attempt(group: AppendGroup, tail: Head): Attempt {
    const keySeq = tail.seq + 1;
    if (group.records.length > MAX_BATCH_RECORDS) throw new Error("a group outgrew its object");
    const key = this.#log.keys.event(keySeq);
    const seenAt = this.#tail?.at ?? 0;
    const notAfter = this.#log.objects.fence ? seenAt + TAIL_TRUE_MS : undefined;
    const body = objectBody(group.records);
    const { fence } = this.#log.objects;
    const retention = this.#log.retain && retentionFrom(this.#log.retain, fence?.now() ?? this.#runtime.now());
    return { key, keySeq, body, putId: this.#runtime.id(), before: tail, end: group.end, seenAt, notAfter, retention };
  }

  async #put(attempt: Attempt, until: number, signal?: AbortSignal): Promise<Fate | "expired"> {
    const uncertain = this.#open === attempt;
    try {
      return await putAttempt(this.#log, this.#runtime, attempt, { uncertain, until, signal });
    } catch (error) {
      if (error instanceof CommitUnknownError) this.#open = attempt;
      throw error;
    }
  }

  async #settle(until: number, signal?: AbortSignal): Promise<{ committed: boolean; end: Head } | null> {
    const attempt = this.#open;
    if (attempt === null) return null;
    if (attempt.notAfter !== undefined && this.#now() > attempt.notAfter) {
      const committed = await outcomeOfExpired(this.#log, attempt, signal);
      this.#open = null;
      this.#tail = null;
      return { committed, end: attempt.end };
    }
    const at = this.#now();
    const fate = await this.#put(attempt, until, signal);
    // Only between two readings of the clock.
    if (fate === "expired") return this.#settle(until, signal);
    this.#open = null;
    if (fate.stored) this.#committed(attempt.end, at);
    else this.#stepTo(attempt, fate.winner);
    return { committed: fate.stored, end: attempt.end };
  }

  #committed(end: Head, at: number): void {
    this.#tail = { head: end, at: Math.min(at, this.#now()) };
    this.#head?.note(end);
  }

  /** The tail behind the object that won: its records must link to the tail that we both saw. @throws VerificationError */
  #stepTo(attempt: Attempt, winner: Buffer): Head {
    const chain = new ChainWalk(attempt.before);
    const { fault, records } = walkObject(chain, winner, attempt.keySeq, factsOf(this.#log, attempt.key), {
      wanted: () => this.#recent.following,
    });
    if (fault) throw fault;
    this.#recent.note(records);
    // When it was the last record, nobody knows: no earlier than the one that it was put behind.
    this.#tail = { head: chain.head, at: attempt.seenAt };
    return chain.head;
  }

  /** Before the next try behind a winner. */
  async #pause(races: number, until: number, tail: Head, signal?: AbortSignal): Promise<void> {
    const pause = backOff(this.#runtime, Math.min(races, 5), 2, 100);
    if (signal?.aborted) throw abortedError(signal);
    if (this.#runtime.elapsed() + pause > until) {
      throw new EventStoreError(
        "CONTENTION",
        `other writers won ${String(races)} races for the next seq until the deadline; nothing was written`,
        {
          facts: { ...factsOf(this.#log, this.#log.keys.event(tail.seq + 1)), seq: tail.seq + 1 },
          hint: "try again, or let fewer processes write to one log",
        },
      );
    }
    await this.#runtime.sleep(pause, signal);
  }
}
