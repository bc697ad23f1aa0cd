import { ConfigError, VerificationError } from "../../core/errors.js";
import { GENESIS_HASH, MAX_SEQ, type Head } from "../../core/event.js";
import type { EventStore } from "../../stores/port.js";
import { systemRuntime } from "../../system/runtime.js";
import type { SignedCheckpoint } from "../note/checkpoint.js";
import type { VerifierKey } from "../note/key.js";
import { requireQuorum } from "../witness/quorum.js";
import { judgeCheckpoint, quorumFinding, storedCheckpoint, type AuditTrust } from "./checkpoint-facts.js";
import { chainFinding, checkpointsDiffer, concluded, expectedHeadFinding, shorterThanSigned } from "./findings.js";
import { RangeWatch } from "./range-watch.js";
import type { AuditReport, ExpectedHead } from "./report.js";
import { TreeWatch } from "./tree-watch.js";
import { walkPast } from "./walk.js";

export interface AuditOptions {
  /** First and last seq; default: the whole log. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** A head that was noted elsewhere: the log must reach it, and have this hash there. */
  readonly expectedHead?: Head | undefined;
  /** The log's verifier keys: its stored checkpoint must then be signed by one of them, and hold. */
  readonly keys?: readonly VerifierKey[] | undefined;
  /** Default: the name of the first key. */
  readonly origin?: string | undefined;
  /** A signed checkpoint that the auditor has kept: the log must go on from it. Needs keys. */
  readonly checkpoint?: string | Uint8Array | undefined;
  readonly witnesses?: readonly VerifierKey[] | undefined;
  /** So many of the witnesses must have cosigned the stored checkpoint; default: all. */
  readonly quorum?: number | undefined;
  /** Unix milliseconds. */
  readonly now?: (() => number) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told how many good records there are so far. */
  readonly onProgress?: ((events: number) => void) | undefined;
}

/**
 * Looks at every record of a range, at what is signed of the log, and at who wrote it. What is wrong is in the report, never an error.
 * @throws BackendError when the log cannot be read; ConfigError; EventStoreError ABORTED
 */
export async function audit(store: EventStore, options: AuditOptions = {}): Promise<AuditReport> {
  const { from = 0, to = MAX_SEQ, signal } = options;
  const trust = trustOf(options);
  // Read before the records: the log only grows, so a true checkpoint can be behind the walk's end, never ahead of it.
  const stored = judgeCheckpoint("stored", await storedCheckpoint(store, signal), trust);
  const given = options.checkpoint === undefined ? null : judgeCheckpoint("given", options.checkpoint, trust);
  const judged = given === null ? [stored] : [stored, given];
  const signed = judged.flatMap(({ checkpoint }) => checkpoint ?? []);
  const trees = new TreeWatch(signed);
  const seen = new RangeWatch(options.expectedHead?.seq);
  let events = 0;
  const walked = await walkPast(store, {
    from,
    to,
    signal,
    onEvent: (event) => {
      trees.add(event.seq, event.eventHash);
      seen.add(event);
      options.onProgress?.(++events);
    },
  });
  const end = await endOf(store, walked.head);
  const expectedHead = options.expectedHead
    ? await expectedOf(store, options.expectedHead, seen.wantedHash, end)
    : null;
  const known = Math.max(expectedHead?.seq ?? -1, ...signed.map(({ size }) => size - 1));
  const cutFrom = Math.max(end.seq + 1, from);
  if (cutFrom <= Math.min(known, to)) walked.missing.add(cutFrom, Math.min(known, to));
  const chain = walked.faults.map(chainFinding);
  const found = [
    ...chain,
    ...judged.map(({ finding }) => finding),
    ...signed.flatMap((checkpoint) => [trees.finding(checkpoint), shorterThanSigned(checkpoint, end)]),
    expectedHead && expectedHeadFinding(expectedHead, end),
    compared(stored.checkpoint, given?.checkpoint),
    stored.checkpoint && quorumFinding(stored.checkpoint, trust),
  ];
  return {
    ...concluded(found.filter((finding) => finding !== null)),
    location: store.location,
    auditedAt: options.now?.() ?? systemRuntime.now(),
    range: { askedFrom: from, askedTo: options.to ?? null, ...seen.range },
    records: {
      valid: walked.valid,
      apart: walked.apart.list,
      invalid: walked.invalid.list,
      missing: walked.missing.list,
      redacted: seen.redacted.list,
      shredded: seen.shredded.list,
    },
    chain: {
      isValid: chain.every(({ verdict }) => verdict !== "invalid"),
      head: walked.head ?? EMPTY,
      unexaminedFrom: walked.unexaminedFrom,
    },
    expectedHead,
    checkpoints: judged.map(({ facts, checkpoint }) => ({ ...facts, tree: trees.verdict(checkpoint) })),
    contents: seen.contents,
  };
}

const EMPTY: Head = { seq: -1, hash: GENESIS_HASH };

function trustOf({ keys = [], witnesses = [], ...options }: AuditOptions): AuditTrust {
  const { origin, quorum = witnesses.length } = options;
  requireQuorum(witnesses, quorum);
  // its cosignature would pass for the log's own signature
  const cosigner = keys.find(({ type }) => type !== "ed25519");
  if (cosigner !== undefined) throw new ConfigError(`the key of ${cosigner.name} is a witness's, not a log's`);
  const needsKeys = options.checkpoint !== undefined || witnesses.length > 0;
  if (keys.length === 0 && needsKeys)
    throw new ConfigError("a checkpoint or witnesses were given, but no key of the log", {
      hint: "give the log's verifier key: without it nothing that was signed can be verified",
    });
  return { keys, origin, witnesses, quorum };
}

/** The log's last record, also when the walk was not to reach it, or gave up. */
async function endOf(store: EventStore, walked: Head | null): Promise<Head> {
  const last = walked ?? EMPTY;
  try {
    const head = await store.head();
    return head.seq > last.seq ? head : last;
  } catch (error) {
    // what is wrong with it, the walk has found too
    if (error instanceof VerificationError) return last;
    throw error;
  }
}

async function expectedOf(store: EventStore, head: Head, seen: string | null, end: Head): Promise<ExpectedHead> {
  if (head.seq < 0) return { ...head, status: "holds" };
  if (head.seq > end.seq) return { ...head, status: "beyond_the_end" };
  const actual = seen ?? (await hashOf(store, head.seq));
  return { ...head, status: actual === head.hash ? "holds" : "differs" };
}

async function hashOf(store: EventStore, seq: number): Promise<string | null> {
  try {
    return await store.getEventHash(seq);
  } catch (error) {
    if (error instanceof VerificationError) return null;
    throw error;
  }
}

function compared(
  stored: SignedCheckpoint | null,
  given: SignedCheckpoint | null | undefined,
): ReturnType<typeof checkpointsDiffer> {
  return stored && given ? checkpointsDiffer(stored, given) : null;
}
