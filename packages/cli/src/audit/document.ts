import type {
  AuditFinding,
  AuditReport,
  AuditVerdict,
  CheckpointFacts,
  SeqList,
  Tallied,
} from "@rynxs/event-store/trust";
import { showHead } from "../options.js";
import { isUnixMs, showTime } from "../text.js";

/** An audit's report as people read it, in whatever form: plain texts, nothing escaped. What comes from the log is untrusted. */
export interface AuditDocument {
  readonly verdict: AuditVerdict;
  readonly headline: string;
  readonly sections: readonly Section[];
}

export interface Section {
  readonly title: string;
  readonly facts: readonly (readonly [label: string, value: string])[];
  readonly table?: Table | undefined;
}

export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const HEADLINES: Readonly<Record<AuditVerdict, string>> = {
  valid: "VALID: every record is whole and linked",
  not_witnessed: "NOT WITNESSED: the log is whole, but too few witnesses have cosigned it",
  head_older_than_expected: "HEAD OLDER THAN EXPECTED: there were more records than there are",
  invalid: "NOT VALID: the log is not what was written or signed",
};

export function auditDocument(report: AuditReport, tool: string): AuditDocument {
  const { verdict, findings, checkpoints } = report;
  const signed = checkpoints.some(({ status }) => status === "verified") ? ", and is what was signed" : "";
  return {
    verdict,
    headline: `${HEADLINES[verdict]}${verdict === "valid" ? signed : ""}`,
    sections: [
      ...(findings.length === 0 ? [] : [{ title: "Findings", facts: [], table: findingsTable(findings) }]),
      rangeSection(report, tool),
      recordsSection(report),
      ...checkpoints.map(checkpointSection),
      writersSection(report),
      leadersSection(report),
      tallied("Types", "Type", report.contents.types),
      tallied("Aggregates", "Aggregate", report.contents.aggregates),
    ],
  };
}

function findingsTable(findings: readonly AuditFinding[]): Table {
  return {
    columns: ["Code", "Seq", "What", "Expected", "Actual"],
    rows: findings.map(({ code, seq, message, expected, actual }) => [
      code,
      shown(seq),
      message,
      shown(expected),
      shown(actual),
    ]),
  };
}

function rangeSection({ location, auditedAt, range, chain, expectedHead }: AuditReport, tool: string): Section {
  const { askedFrom, askedTo, first, last, firstTs, lastTs } = range;
  const found = first === null || last === null ? "no records" : `seq ${String(first)} to ${String(last)}`;
  const expected = expectedHead && `${showHead(expectedHead)}: ${expectedHead.status.replaceAll("_", " ")}`;
  return {
    title: "Range",
    facts: [
      ["Log", location],
      ["Audited", `${new Date(auditedAt).toISOString()} by ${tool}`],
      ["Asked", `seq ${String(askedFrom)} to ${askedTo === null ? "the end" : String(askedTo)}`],
      ["Found", found],
      ...times(firstTs, lastTs),
      ["Last record", showHead(chain.head)],
      ...(expected === null ? [] : [["Expected head", expected] as const]),
      ...(chain.unexaminedFrom === null
        ? []
        : [
            [
              "Given up",
              `too much is wrong: nothing was looked at from seq ${String(chain.unexaminedFrom)} on`,
            ] as const,
          ]),
    ],
  };
}

function times(first: number | bigint | null, last: number | bigint | null): [string, string][] {
  if (first === null || last === null) return [];
  const unit = isUnixMs(first) && isUnixMs(last) ? "" : " (as the log has them)";
  return [["Timestamps", `${showTime(first)} to ${showTime(last)}${unit}`]];
}

function recordsSection({ records, chain }: AuditReport): Section {
  const { valid, apart, invalid, missing, redacted, shredded } = records;
  return {
    title: "Records",
    facts: [
      ["Valid", String(valid)],
      ...(apart.count === 0 ? [] : [["Valid, behind a fault", seqs(apart)] as const]),
      ["Invalid", seqs(invalid)],
      ["Missing", seqs(missing)],
      ["Redacted", seqs(redacted)],
      ["Subjects shredded", seqs(shredded)],
      ["Chain", chain.isValid ? "whole" : "broken"],
    ],
  };
}

function checkpointSection(checkpoint: CheckpointFacts): Section {
  const { source, status, origin, size, root, signers, witnesses, tree } = checkpoint;
  const title = source === "stored" ? "Checkpoint of the log" : "Checkpoint that was kept";
  if (status === "missing") return { title, facts: [["Status", "there is none"]] };
  return {
    title,
    facts: [
      ["Status", status === "unverified" ? "not verified: no key was given" : status.replaceAll("_", " ")],
      ["Origin", origin ?? "unknown"],
      ["Records", shown(size ?? undefined)],
      ["Root", root ?? ""],
      ["Records have the root", { matches: "yes", differs: "NO", not_checked: "not checked" }[tree]],
      ["Signed by", signers.join(", ") || "nobody who is trusted"],
    ],
    table:
      witnesses.length === 0
        ? undefined
        : {
            columns: ["Witness", "Cosigned"],
            rows: witnesses.map(({ name, cosignedAt }) => [
              name,
              cosignedAt === null ? "no" : new Date(cosignedAt).toISOString(),
            ]),
          },
  };
}

function writersSection({ contents }: AuditReport): Section {
  const { writers, moreWriters, withoutWriter } = contents;
  return {
    title: "Writers",
    facts: [
      ["Named", `${String(writers.length)}${moreWriters ? " and more" : ""}`],
      ["Records without a writer", String(withoutWriter)],
    ],
    table: table(
      ["Writer", "Records", "First seq", "Last seq"],
      writers.map(({ id, count, firstSeq, lastSeq }) => [id, String(count), String(firstSeq), String(lastSeq)]),
    ),
  };
}

function leadersSection({ contents }: AuditReport): Section {
  const { leaders, leaderChanges } = contents;
  return {
    title: "Leadership",
    facts: [["Changes", String(leaderChanges)]],
    table: table(
      ["Seq", "Epoch", "Holder", "Time", "Note"],
      leaders.map(({ seq, ts, epoch, holder, isNext }) => [
        String(seq),
        shown(epoch ?? undefined),
        holder ?? "",
        showTime(ts),
        isNext ? "" : "not the next epoch",
      ]),
    ),
  };
}

function tallied(title: string, column: string, { distinct, isComplete, top }: Tallied): Section {
  return {
    title,
    facts: [["Different ones", `${isComplete ? "" : "more than "}${String(distinct)}`]],
    table: table(
      [column, "Records"],
      top.map(({ name, count }) => [name, String(count)]),
    ),
  };
}

function table(columns: readonly string[], rows: Table["rows"]): Table | undefined {
  return rows.length === 0 ? undefined : { columns, rows };
}

/** `3: seq 1, 5 to 6`. */
function seqs({ count, ranges, isComplete }: SeqList): string {
  if (count === 0) return "0";
  const list = ranges.map(([first, last]) => (first === last ? String(first) : `${String(first)} to ${String(last)}`));
  return `${String(count)}: seq ${list.join(", ")}${isComplete ? "" : " …"}`;
}

function shown(value: string | number | undefined): string {
  return value === undefined ? "" : String(value);
}
