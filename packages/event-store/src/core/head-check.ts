import { VerificationError, type ErrorFacts } from "./errors.js";
import { MAX_SEQ, type Head } from "./event.js";
import { isHash } from "./hash.js";

/**
 * The head hint, `{"last_hash":"…","last_seq":N}`: written behind the appends, so it can be old but never ahead of the
 * log. Anything that is not a JSON object with an integer `last_seq` in range and 64 lowercase hex is no hint: null.
 */
export function parseHead(body: Buffer): Head | null {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body));
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const { last_seq: seq, last_hash: hash } = value as { last_seq?: unknown; last_hash?: unknown };
  if (typeof seq !== "number" || !Number.isInteger(seq) || seq < 0 || seq > MAX_SEQ || !isHash(hash)) return null;
  return { seq, hash };
}

/** Canonical JSON, byte for byte as the Python system wrote it. */
export function formatHead(head: Head): string {
  return `{"last_hash":"${head.hash}","last_seq":${String(head.seq)}}`;
}

/** `SEQ:HASH` */
export function headText(head: Head): string {
  return `${String(head.seq)}:${head.hash}`;
}

const HEAD_HINT =
  "the stored head was written after its record, so the log was cut or rewritten since: find out what happened; to go on with the log as it is, run: rynxs head --reset";

/** A readable head that the log contradicts. `end`: the log's last record; `actual`: its hash where the head points, null when it ends before. */
export function headContradiction(head: Head, end: Head, actual: string | null, facts?: ErrorFacts): VerificationError {
  const found = actual === null ? `the log ends at seq ${String(end.seq)}` : `the record there has hash ${actual}`;
  return new VerificationError(
    "HEAD_CONTRADICTS_LOG",
    {
      seq: end.seq + 1,
      expected: headText(head),
      actual: headText(actual === null ? end : { seq: head.seq, hash: actual }),
    },
    `the head says seq ${String(head.seq)} with hash ${head.hash}, but ${found}`,
    { ...(facts && { facts }), hint: HEAD_HINT },
  );
}

/** The log does not bear out a head that the caller knows from elsewhere. */
export function expectationFailed(expected: Head, end: Head, actual: string | null): VerificationError {
  const seq = end.seq + 1;
  if (actual === null) {
    return new VerificationError(
      "TRUNCATED",
      { seq, expected: headText(expected), actual: headText(end) },
      `the log ends at seq ${String(end.seq)}, but it is known to have reached seq ${String(expected.seq)}`,
      { hint: "records were cut off the end: look for them in a backup or a copy" },
    );
  }
  return new VerificationError(
    "HEAD_CONTRADICTS_LOG",
    { seq, expected: headText(expected), actual: headText({ seq: expected.seq, hash: actual }) },
    `record ${String(expected.seq)} has hash ${actual}, not the expected ${expected.hash}`,
    { hint: "this is not the log that the expected head was taken from, or it was rewritten" },
  );
}

/** The log's record at the anchor is another than the caller says. */
export function anchorDiffers(anchor: Head, actual: string): VerificationError {
  const at = { seq: anchor.seq + 1, expected: anchor.hash, actual };
  const message = `the log's record ${String(anchor.seq)} is not the anchor that was given`;
  return new VerificationError("CHAIN_BROKEN", at, message, {
    hint: "either the anchor belongs to another log, or this log was rewritten",
  });
}

/** The log does not reach the record before the place where its verification was to begin. */
export function endsBefore(seq: number, end: Head): VerificationError {
  const at = { seq: end.seq + 1, expected: seq, actual: end.seq };
  const message = `the log ends at seq ${String(end.seq)}, before record ${String(seq)}, behind which it was to be verified`;
  return new VerificationError("TRUNCATED", at, message, {
    hint: "verify from an earlier seq; if the log is known to have been longer, records were cut off its end",
  });
}
