import type { AuditFinding, AuditReport, CheckpointFacts, SeqList, Tallied } from "@rynxs/event-store/trust";

/** The documented shape; BigInts as strings of digits. */
export function auditJson(report: AuditReport, exitCode: number): Record<string, unknown> {
  const { verdict, findings, location, auditedAt, range, records, chain, expectedHead, checkpoints, contents } = report;
  return {
    verdict,
    exit_code: exitCode,
    findings: findings.map(findingJson),
    location,
    audited_at: new Date(auditedAt).toISOString(),
    range: {
      asked: { from: range.askedFrom, to: range.askedTo },
      found: range.first === null ? null : { first: range.first, last: range.last },
      ts: range.firstTs === null ? null : { first: digits(range.firstTs), last: digits(range.lastTs) },
    },
    records: {
      valid: records.valid,
      apart: seqsJson(records.apart),
      invalid: seqsJson(records.invalid),
      missing: seqsJson(records.missing),
      redacted: seqsJson(records.redacted),
      shredded: seqsJson(records.shredded),
    },
    chain: {
      valid: chain.isValid,
      head: { seq: chain.head.seq, hash: chain.head.hash },
      unexamined_from: chain.unexaminedFrom,
    },
    expected_head: expectedHead && { seq: expectedHead.seq, hash: expectedHead.hash, status: expectedHead.status },
    checkpoints: checkpoints.map(checkpointJson),
    writers: contents.writers.map(({ id, count, firstSeq, lastSeq }) => {
      return { id, count, first_seq: firstSeq, last_seq: lastSeq };
    }),
    more_writers: contents.moreWriters,
    without_writer: contents.withoutWriter,
    leaders: contents.leaders.map(({ seq, ts, epoch, holder, isNext }) => {
      return { seq, ts: digits(ts), epoch, holder, is_next: isNext };
    }),
    leader_changes: contents.leaderChanges,
    types: talliedJson(contents.types),
    aggregates: talliedJson(contents.aggregates),
  };
}

function findingJson({ code, verdict, message, seq, expected, actual }: AuditFinding): Record<string, unknown> {
  return { code, verdict, message, seq, expected, actual };
}

function checkpointJson({ source, status, origin, size, root, signers, witnesses, tree }: CheckpointFacts): unknown {
  const cosigned = witnesses.map(({ name, cosignedAt }) => {
    return { name, cosigned_at: cosignedAt === null ? null : new Date(cosignedAt).toISOString() };
  });
  return { source, status, origin, size, root, signers, witnesses: cosigned, tree };
}

function seqsJson({ count, ranges, isComplete }: SeqList): Record<string, unknown> {
  return { count, ranges, complete: isComplete };
}

function talliedJson({ distinct, isComplete, top }: Tallied): Record<string, unknown> {
  return { distinct, complete: isComplete, top };
}

function digits(value: number | bigint | null): number | string | null {
  return typeof value === "bigint" ? String(value) : value;
}
