import type { JsonValue, RecordedEvent } from "../../core/event.js";
import type { AuditContents, LeaderFacts, Tallied, WriterFacts } from "./report.js";

/** Names that are told apart; what comes beyond is counted no more. */
const MAX_NAMES = 100_000;
const MAX_LISTED = 100;
const TOP = 20;

class Names {
  readonly #counts = new Map<string, number>();
  #isComplete = true;

  add(name: string): void {
    const count = this.#counts.get(name);
    if (count === undefined && this.#counts.size >= MAX_NAMES) this.#isComplete = false;
    else this.#counts.set(name, (count ?? 0) + 1);
  }

  get tallied(): Tallied {
    const all = [...this.#counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
    const top = all.slice(0, TOP).map(([name, count]) => ({ name, count }));
    return { distinct: all.length, isComplete: this.#isComplete, top };
  }
}

/** Counts what a log's records say of themselves, in bounded memory. */
export class ContentTally {
  readonly #types = new Names();
  readonly #aggregates = new Names();
  readonly #writers = new Map<string, { -readonly [K in keyof WriterFacts]: WriterFacts[K] }>();
  #moreWriters = false;
  #withoutWriter = 0;
  readonly #leaders: LeaderFacts[] = [];
  #leaderChanges = 0;
  #epoch: number | null = null;

  add({ seq, ts, type, aggregateId, meta, payload }: RecordedEvent): void {
    this.#types.add(type);
    this.#aggregates.add(aggregateId);
    this.#addWriter(seq, meta["writer_id"]);
    if (type === "LeaderElected") this.#addLeader(seq, ts, payload["epoch"], payload["holder"]);
  }

  get contents(): AuditContents {
    return {
      types: this.#types.tallied,
      aggregates: this.#aggregates.tallied,
      writers: [...this.#writers.values()],
      moreWriters: this.#moreWriters,
      withoutWriter: this.#withoutWriter,
      leaders: this.#leaders,
      leaderChanges: this.#leaderChanges,
    };
  }

  #addWriter(seq: number, id: JsonValue | undefined): void {
    if (typeof id !== "string") {
      this.#withoutWriter++;
      return;
    }
    const known = this.#writers.get(id);
    if (known !== undefined) {
      known.count++;
      known.lastSeq = seq;
    } else if (this.#writers.size < MAX_LISTED) this.#writers.set(id, { id, count: 1, firstSeq: seq, lastSeq: seq });
    else this.#moreWriters = true;
  }

  #addLeader(
    seq: number,
    ts: number | bigint,
    epochValue: JsonValue | undefined,
    holderValue: JsonValue | undefined,
  ): void {
    const epoch = typeof epochValue === "number" ? epochValue : null;
    const holder = typeof holderValue === "string" ? holderValue : null;
    // In the middle of a log, the first one that is seen may have any epoch.
    const isNext = epoch !== null && (this.#epoch === null || epoch === this.#epoch + 1);
    this.#leaderChanges++;
    this.#epoch = epoch ?? this.#epoch;
    if (this.#leaders.length < MAX_LISTED) this.#leaders.push({ seq, ts, epoch, holder, isNext });
  }
}
