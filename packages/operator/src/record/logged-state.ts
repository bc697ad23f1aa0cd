import { hash } from "node:crypto";
import {
  canonicalState,
  defineProjection,
  type JsonObject,
  type Projection,
  type RecordedEvent,
} from "@rynxs/event-store";

/** What the log says of the cluster: built from its events alone, so that any replica comes to the same. */
export interface LoggedState {
  leader: LoggedLeader | null;
  /** Objects that exist as far as the log knows, by `objectKey`: seq of the last event, and `payloadDigest` of its payload. */
  readonly objects: Record<string, readonly [seq: number, digest: string]>;
}

export interface LoggedLeader {
  /** 1, 2, 3 …: each LeaderElected has the next one, which the compare-and-swap of its append makes unique. One with any other is nobody's
   * but deposes all the same, and does not count. */
  readonly epoch: number;
  readonly holder: string;
  readonly seq: number;
}

/** meta.source of every event that the operator writes. */
export const SOURCE = "kubernetes";

export const LEADER_ELECTED = "LeaderElected";

/** Of an object that does not exist, or is not in the log. */
export const ABSENT = "";

/** Names an object within a log: meta.resource and aggregate_id. Neither holds a space. */
export function objectKeyOf(resource: string, aggregateId: string): string {
  return `${resource} ${aggregateId}`;
}

/** 32 hex digits; equal exactly for equal payloads. */
export function payloadDigest(canonical: string): string {
  return hash("sha256", canonical, "hex").slice(0, 32);
}

/** Which object an event is of, and what it came to; null for what the recorder did not write. */
export function loggedChange(event: RecordedEvent): { readonly key: string; readonly digest: string } | null {
  const { meta, type } = event;
  if (meta["source"] !== SOURCE || typeof meta["resource"] !== "string" || type === LEADER_ELECTED) return null;
  const key = objectKeyOf(meta["resource"], event.aggregateId);
  if (type.endsWith("Observed")) return { key, digest: payloadDigest(canonicalState(event.payload)) };
  return type.endsWith("Deleted") ? { key, digest: ABSENT } : null;
}

export const LOGGED_STATE: Projection<LoggedState> = defineProjection<LoggedState>({
  name: "rynxs-operator",
  version: 2,
  initial: () => ({ leader: null, objects: {} }),
  apply: (state, event) => {
    if (!hasParts(state)) throw new TypeError("what it goes on from is no state of this projection");
    const elected = electedLeader(event);
    if (elected !== null) {
      const last = state.leader?.epoch ?? 0;
      state.leader = { ...elected, epoch: elected.epoch === last + 1 ? elected.epoch : last };
    }
    const change = loggedChange(event);
    if (change === null) return state;
    if (change.digest === ABSENT) Reflect.deleteProperty(state.objects, change.key);
    else state.objects[change.key] = [event.seq, change.digest];
    return state;
  },
});

function electedLeader({ type, meta, payload, seq }: RecordedEvent): LoggedLeader | null {
  if (type !== LEADER_ELECTED || meta["source"] !== SOURCE) return null;
  const { epoch, holder } = payload as JsonObject & { readonly epoch?: unknown; readonly holder?: unknown };
  if (typeof epoch !== "number" || !Number.isSafeInteger(epoch) || typeof holder !== "string") return null;
  return { epoch, holder, seq };
}

/** Whether it can be one: a snapshot may hold anything. */
export function isLoggedState(state: unknown): state is LoggedState {
  if (!hasParts(state)) return false;
  return Object.values(state.objects).every((entry: unknown) => {
    if (!Array.isArray(entry) || entry.length !== 2) return false;
    const [seq, digest] = entry as unknown[];
    return isSeq(seq) && typeof digest === "string";
  });
}

function hasParts(state: unknown): state is LoggedState {
  const { leader, objects } = (state ?? {}) as { readonly leader?: unknown; readonly objects?: unknown };
  return isRecord(objects) && (leader === null || isLeader(leader));
}

function isLeader(value: unknown): boolean {
  return isRecord(value) && isSeq(value["epoch"]) && isSeq(value["seq"]) && typeof value["holder"] === "string";
}

function isSeq(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
