import { ConfigError, EventStoreError } from "../core/errors.js";
import type { AnyEvents, EventMap, JsonValue, NewEvent } from "../core/event.js";
import { backOff, systemRuntime, type Runtime } from "../system/runtime.js";
import type { EventStore } from "../stores/port.js";
import type { EncryptedStore } from "./encrypted.js";
import { ENVELOPE_KEY } from "./envelope.js";
import type { DestroyedKeys } from "./key-record.js";
import type { KeyStore } from "./key-store.js";
import type { Keyring } from "./keyring.js";
import { SUBJECT_SHREDDED, type SubjectShredded } from "./shred-event.js";
import { checkSubject } from "./subject.js";

export interface ShredOptions {
  /** Stands in the log for ever, in the clear: a reference, no names. */
  readonly reason?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Clock, pauses and ids, for tests. */
  readonly runtime?: Runtime | undefined;
}

export interface ShredReport {
  readonly subject: string;
  /** Unix milliseconds: when the keys were destroyed, by this call or an earlier one. */
  readonly destroyedAt: number;
  readonly keyVersions: number;
  /** The keys were destroyed before this call. */
  readonly repeated: boolean;
  /** The event that records it. */
  readonly seq: number;
  /** It was in the log before this call. */
  readonly recorded: boolean;
}

type LogMethod = "append" | "appendWithRetry" | "head" | "read";
type ShredLog = Pick<EventStore, LogMethod>;

/** How often the end of the log is looked at before the event is appended whatever others append. */
const TRIES = 16;
const MAX_REASON = 1000;

/**
 * Destroys all keys of the subject and then records it: `SubjectShredded`. In this order, the log never says what did not happen. When it
 * fails in between, or is killed, call it again: the keys' tombstone says what is to be recorded, and it is recorded once (twice only
 * when two calls run at once and others never stop appending). A key store that was restored from a backup, or lost, gets its tombstone back.
 * `keys`: a `Keyring` also forgets the keys.
 * @throws EventStoreError KEY_MISSING when the subject never had keys: nothing was done; BackendError, and whatever `append` and `read` throw
 */
export async function shred<E extends EventMap = AnyEvents>(
  store: Pick<EventStore<E>, LogMethod> | Pick<EncryptedStore<E>, LogMethod>,
  keys: KeyStore | Keyring,
  subject: string,
  options: ShredOptions = {},
): Promise<ShredReport> {
  const { reason, signal, runtime = systemRuntime } = options;
  checkSubject(subject);
  checkReason(reason);
  const log = store as unknown as ShredLog;
  // Nothing before this place can be about a destruction that has not happened yet.
  const before = await log.head();
  const id = runtime.id();
  const tombstone = await keys.destroy(subject, { id, at: runtime.now() });
  if (tombstone === null) return buryAgain(log, "store" in keys ? keys.store : keys, subject, signal);
  const repeated = tombstone.id !== id;
  const from = repeated ? 0 : before.seq + 1;
  const done = { subject, destroyedAt: tombstone.at, keyVersions: tombstone.versions, repeated };
  return { ...done, ...(await record(log, eventOf(tombstone, reason), from, runtime, signal)) };
}

/** The log says that the subject was shredded, and the key store knows nothing of it: without a tombstone, nothing of it could be read past. */
async function buryAgain(
  log: ShredLog,
  keys: KeyStore,
  subject: string,
  signal: AbortSignal | undefined,
): Promise<ShredReport> {
  for await (const { seq, payload } of log.read({ type: SUBJECT_SHREDDED, aggregateId: subject, signal })) {
    const { shred_id: id, destroyed_at: at, key_versions: versions } = payload;
    if (typeof id !== "string" || typeof at !== "number" || typeof versions !== "number") continue;
    const { record } = await keys.create({ subject, state: "destroyed", id, at, versions });
    if (record.state === "live") break;
    return { subject, destroyedAt: at, keyVersions: versions, repeated: true, seq, recorded: true };
  }
  throw neverHad();
}

function eventOf(tombstone: DestroyedKeys, reason: string | undefined): NewEvent & { payload: SubjectShredded } {
  const payload: SubjectShredded = {
    shred_id: tombstone.id,
    destroyed_at: tombstone.at,
    key_versions: tombstone.versions,
    ...(reason !== undefined && { reason }),
  };
  return { type: SUBJECT_SHREDDED, aggregateId: tombstone.subject, payload: { ...payload } };
}

async function record(
  log: ShredLog,
  event: ReturnType<typeof eventOf>,
  from: number,
  runtime: Runtime,
  signal: AbortSignal | undefined,
): Promise<Pick<ShredReport, "seq" | "recorded">> {
  let fromSeq = from;
  for (let tries = 0; tries < TRIES; tries++) {
    const head = await log.head();
    if (head.seq >= fromSeq) {
      const seq = await find(log, event, fromSeq, head.seq, signal);
      if (seq !== null) return { seq, recorded: true };
      fromSeq = head.seq + 1;
    }
    const result = await log.append(event, { expectedPrevHash: head.hash, signal });
    if (result.committed) return { seq: result.seq, recorded: false };
    await runtime.sleep(backOff(runtime, tries, 20, 1_000), signal);
  }
  const { seq } = await log.appendWithRetry(event, { signal });
  return { seq, recorded: false };
}

async function find(
  log: ShredLog,
  { type, aggregateId, payload }: ReturnType<typeof eventOf>,
  fromSeq: number,
  toSeq: number,
  signal: AbortSignal | undefined,
): Promise<number | null> {
  for await (const event of log.read({ type, aggregateId, fromSeq, toSeq, signal }))
    if (event.payload["shred_id"] === payload.shred_id) return event.seq;
  return null;
}

/** Events of the log whose payloads are encrypted for the subject. Reads the whole log. `store` is the plain one. */
export async function countEncrypted(
  store: Pick<EventStore, "read">,
  subject: string,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<number> {
  let count = 0;
  for await (const { payload } of store.read(options)) if (subjectIn(payload[ENVELOPE_KEY]) === subject) count += 1;
  return count;
}

function subjectIn(envelope: JsonValue | undefined): unknown {
  return typeof envelope === "object" && envelope !== null && "subject" in envelope ? envelope["subject"] : null;
}

function checkReason(reason: string | undefined): void {
  if (reason === undefined || (reason.isWellFormed() && reason.length <= MAX_REASON)) return;
  throw new ConfigError(`a reason is well-formed text of at most ${String(MAX_REASON)} characters`);
}

function neverHad(): EventStoreError {
  return new EventStoreError("KEY_MISSING", "the subject has no keys, and never had any: nothing was destroyed", {
    hint: "check its spelling (with a pseudonym secret, the log has pseudonyms), and the key store",
  });
}
