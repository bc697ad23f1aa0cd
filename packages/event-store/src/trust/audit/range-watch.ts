import type { JsonValue, RecordedEvent } from "../../core/event.js";
import type { AuditContents, AuditRange } from "./report.js";
import { SeqCollector } from "./seq-list.js";
import { ContentTally } from "./tally.js";

/** What the good records of a range are. */
export class RangeWatch {
  readonly redacted: SeqCollector = new SeqCollector();
  readonly shredded: SeqCollector = new SeqCollector();
  readonly #tally = new ContentTally();
  readonly #wanted: number | undefined;
  #wantedHash: string | null = null;
  #first: RecordedEvent | null = null;
  #last: RecordedEvent | null = null;

  /** `wanted`: a seq whose hash is asked for afterwards. */
  constructor(wanted: number | undefined) {
    this.#wanted = wanted;
  }

  add(event: RecordedEvent): void {
    this.#first ??= event;
    this.#last = event;
    if (event.seq === this.#wanted) this.#wantedHash = event.eventHash;
    if (isEncrypted(event.payload)) this.redacted.add(event.seq);
    if (event.type === "SubjectShredded") this.shredded.add(event.seq);
    this.#tally.add(event);
  }

  /** Null when that record was not among the good ones. */
  get wantedHash(): string | null {
    return this.#wantedHash;
  }

  get contents(): AuditContents {
    return this.#tally.contents;
  }

  get range(): Pick<AuditRange, "first" | "last" | "firstTs" | "lastTs"> {
    const [first, last] = [this.#first, this.#last];
    return { first: first?.seq ?? null, last: last?.seq ?? null, firstTs: first?.ts ?? null, lastTs: last?.ts ?? null };
  }
}

/** The envelope of `@rynxs/event-store/crypto`, in the place of the payload. */
function isEncrypted(payload: JsonValue): boolean {
  return typeof payload === "object" && payload !== null && "$enc" in payload;
}
