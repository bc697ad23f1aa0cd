import { isUtf8 } from "node:buffer";
import { hash } from "node:crypto";
import type { Head } from "../../core/event.js";
import { decodeState, encodeState, type EncodedState } from "./state.js";

/** Whose state it is: a snapshot of another projection, or of another version of its code, is of no use. */
export interface SnapshotOwner {
  readonly name: string;
  readonly version: number;
}

/** A state bound to the last record that it has seen. */
export interface Snapshot {
  readonly at: Head;
  readonly state: EncodedState;
}

const BEFORE_STATE =
  /^\{"event_hash":"([0-9a-f]{64})","format":([0-9]{1,9}),"projection":"([A-Za-z0-9._-]{1,100})","seq":(0|[1-9][0-9]{0,9}),"state":/;
const BEHIND_STATE = /,"state_hash":"([0-9a-f]{64})","version":([1-9][0-9]{0,15})\}$/;

/** What stands around a state has fewer bytes than this, on either side. */
export const SNAPSHOT_FRAME_BYTES = 320;

/** Canonical JSON: docs/operations/projections.md. */
export function formatSnapshot({ name, version }: SnapshotOwner, { at, state }: Snapshot): Buffer {
  const before = `{"event_hash":"${at.hash}","format":1,"projection":"${name}","seq":${String(at.seq)},"state":`;
  const behind = `,"state_hash":"${state.hash}","version":${String(version)}}`;
  return Buffer.concat([Buffer.from(before), state.bytes, Buffer.from(behind)]);
}

/**
 * Reads the snapshot that a key names, byte for byte as it is written; or says, for people, why it is none. Whether the log has that
 * record is for the caller to find out.
 */
export function parseSnapshot(body: Buffer, owner: SnapshotOwner, seq: number): Snapshot | { readonly why: string } {
  const before = BEFORE_STATE.exec(body.toString("latin1", 0, SNAPSHOT_FRAME_BYTES));
  const behind = BEHIND_STATE.exec(body.toString("latin1", Math.max(0, body.length - SNAPSHOT_FRAME_BYTES)));
  if (!before || !behind) return { why: "it is not a snapshot" };
  const [all = "", eventHash = "", format, name, statedSeq] = before;
  const [rest = "", stateHash = "", version] = behind;
  if (format !== "1") return { why: `its format is ${String(format)}, which this version does not know` };
  if (name !== owner.name || Number(version) !== owner.version)
    return { why: `it is of version ${String(version)} of projection ${String(name)}` };
  if (Number(statedSeq) !== seq) return { why: `it says that it is of seq ${String(statedSeq)}` };
  const bytes = body.subarray(all.length, body.length - rest.length);
  if (hash("sha256", bytes) !== stateHash) return { why: "its state does not have the hash that it states" };
  if (!isCanonical(bytes, stateHash)) return { why: "its state is not canonical JSON" };
  return { at: { seq, hash: eventHash }, state: { bytes, hash: stateHash } };
}

/** A state that reads back as itself: only such a one goes on as the one that was written would have. */
function isCanonical(bytes: Buffer, stateHash: string): boolean {
  if (!isUtf8(bytes)) return false;
  try {
    return encodeState(decodeState(bytes), "the snapshot").hash === stateHash;
  } catch {
    return false;
  }
}
