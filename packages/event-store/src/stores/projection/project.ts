import { ConfigError, EventStoreError } from "../../core/errors.js";
import { MAX_SEQ, type AnyEvents, type EventMap, type Head } from "../../core/event.js";
import { EMPTY } from "../../log/log-on-objects.js";
import { systemRuntime, type Runtime } from "../../system/runtime.js";
import { emitWarning, type OnWarning } from "../../system/warning.js";
import type { EventStore } from "../port.js";
import { checkSeq } from "../reading.js";
import { eventsOf, Fold, initialState } from "./fold.js";
import { defineProjection, type Projection } from "./projection.js";
import { SnapshotKeeper } from "./snapshot-keeper.js";
import type { StoredSnapshot } from "./snapshot-shelf.js";
import type { Snapshot } from "./snapshot.js";
import { decodeState } from "./state.js";
import { SecondRun } from "./twice.js";

export interface ProjectOptions {
  /** Last seq to apply, inclusive; default: to the log's end. */
  readonly toSeq?: number | undefined;
  /** Start from the newest snapshot that fits; default true. */
  readonly useSnapshots?: boolean | undefined;
  /** Write a snapshot of the state at the end, unless it is the one that this started from; default false. */
  readonly snapshot?: boolean | undefined;
  /** Write a snapshot after every so many events that were applied; default: none. Not with `twice`. */
  readonly snapshotEvery?: number | undefined;
  /** When one is written, so many of the newest stay, and older ones are deleted; default 5. */
  readonly keepSnapshots?: number | undefined;
  /** Run it twice over the same events and compare, before anything is written; default false. */
  readonly twice?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: ProjectProgress) => void) | undefined;
  /** Default: Node's process warnings. */
  readonly onWarning?: OnWarning | undefined;
  /** Clock and chance of pauses between tries, for tests. */
  readonly runtime?: Runtime | undefined;
}

export interface ProjectProgress {
  /** Events applied so far. */
  readonly events: number;
  /** The last one's seq. */
  readonly seq: number;
}

export interface Projected<S> {
  /** As JSON keeps it: nothing in it is shared with anything else. */
  readonly state: S;
  /** SHA-256 of its canonical JSON, 64 lowercase hex. */
  readonly stateHash: string;
  /** The last record that it has seen; seq −1 and 64 zeros when there was none. */
  readonly head: Head;
  /** Seq of the snapshot that it was built from; −1: from the beginning of the log. */
  readonly from: number;
  /** Events applied, behind that. */
  readonly events: number;
  /** The last snapshot that was written, or that was there already with this very state. */
  readonly snapshot?: StoredSnapshot | undefined;
}

const DEFAULT_KEEP = 5;

/**
 * The state that a projection comes to: from its newest snapshot, if there is one that fits the log and the code, and the verified events behind
 * it. A snapshot that does not fit is said (SNAPSHOT_UNUSABLE) and not used; one that cannot be written fails nothing (SNAPSHOT_NOT_WRITTEN).
 * A run that was ended by its signal may be run again: it goes on from the last snapshot.
 * @throws ConfigError; EventStoreError PROJECTION_FAILED, NOT_DETERMINISTIC, TOO_LARGE (a state of more than 64 MiB), ABORTED; and as `EventStore.read`
 */
export async function project<S, E extends EventMap = AnyEvents>(
  store: EventStore<E>,
  projection: Projection<S, E>,
  options: ProjectOptions = {},
): Promise<Projected<S>> {
  const checked = defineProjection(projection);
  checkOptions(options);
  const { toSeq = MAX_SEQ, snapshotEvery = Infinity, signal } = options;
  const keeper = new SnapshotKeeper(store.derived, checked, {
    keep: options.keepSnapshots ?? DEFAULT_KEEP,
    runtime: options.runtime ?? systemRuntime,
    onWarning: options.onWarning ?? emitWarning,
    signal,
  });
  const found = options.useSnapshots === false ? null : await keeper.newestUsable(store, toSeq);
  const start: Snapshot = found ?? { at: EMPTY, state: initialState(checked) };
  const end = checked.filter ? await endOf(store, toSeq) : null;
  const second = options.twice ? new SecondRun(checked, start) : null;
  const fold = new Fold(checked, start);
  let written: StoredSnapshot | null = null;
  for await (const event of eventsOf(store, checked, { after: start.at, toSeq: end?.seq ?? toSeq, signal })) {
    if (signal?.aborted) throw new EventStoreError("ABORTED", "the projection was aborted", { cause: signal.reason });
    fold.apply(event);
    second?.follow(fold);
    options.onProgress?.({ events: fold.events, seq: event.seq });
    if (fold.events % snapshotEvery === 0) written = (await keeper.write(fold.settle())) ?? written;
  }
  // The records behind the last that passed the filter were seen, too.
  if (end && end.seq > fold.head.seq) fold.head = end;
  const last = fold.snapshot();
  await second?.compare(store, last, signal);
  if (options.snapshot && last.at.seq > start.at.seq && written?.seq !== last.at.seq)
    written = (await keeper.write(last)) ?? written;
  return {
    state: decodeState(last.state.bytes) as S,
    stateHash: last.state.hash,
    head: last.at,
    from: start.at.seq,
    events: fold.events,
    ...(written && { snapshot: written }),
  };
}

/** The last record up to `toSeq`: what a read that leaves records out does not show. */
async function endOf<E extends EventMap>(store: EventStore<E>, toSeq: number): Promise<Head> {
  const head = await store.head();
  if (head.seq <= toSeq) return head;
  const hash = await store.getEventHash(toSeq);
  return hash === null ? head : { seq: toSeq, hash };
}

function checkOptions({ toSeq, snapshotEvery, keepSnapshots, twice }: ProjectOptions): void {
  if (toSeq !== undefined) checkSeq("toSeq", toSeq);
  for (const [name, value] of Object.entries({ snapshotEvery, keepSnapshots }))
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1))
      throw new ConfigError(`${name} must be a positive integer, not ${String(value)}`);
  if (twice && snapshotEvery !== undefined)
    throw new ConfigError("snapshotEvery does not go with twice", {
      hint: "twice writes nothing before both runs were compared: ask for a snapshot at the end",
    });
}
