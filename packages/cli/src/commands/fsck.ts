import type { FsckFinding, FsckReport } from "@rynxs/event-store";
import { fsck as check } from "@rynxs/event-store";
import type { Context } from "../context.js";
import { describe, EXIT, interruptedBy } from "../exit.js";
import type { RetainFlags } from "../options.js";
import { bucketLog } from "../options.js";
import { paint } from "../output.js";
import { startProgress } from "../progress.js";
import { count, oneLine, seqRange } from "../text.js";

export interface FsckFlags extends RetainFlags {
  readonly versions?: true;
  readonly strict?: true;
}

/** @returns the exit code: findings are the output, each as it is found */
export async function fsck(flags: FsckFlags, { output, interrupts }: Context): Promise<number> {
  const { retain, retainMode, ...store } = flags;
  const log = await bucketLog(store);
  const progress = await startProgress("looking", undefined, "objects");
  const findings = check(log, {
    versions: flags.versions ?? false,
    ...(retain !== undefined && { retain }),
    ...(retainMode !== undefined && { retainMode }),
    signal: interrupts.stop,
    onProgress: ({ seen }) => {
      progress.update(seen);
    },
  });
  let report: FsckReport;
  try {
    for (;;) {
      const next = await findings.next();
      if (next.done === true) {
        report = next.value;
        break;
      }
      if (output.json) await output.data(findingJson(next.value));
      else for (const line of findingLines(next.value)) await output.line(line);
      // Nobody reads on.
      if (output.closed) return EXIT.ok;
    }
  } catch (error) {
    if (interrupts.stop.aborted && describe(error).code === "ABORTED") throw interruptedBy("looking", {});
    throw error;
  } finally {
    progress.stop();
    await findings.return(undefined as never);
  }
  const failed = report.evidence > 0 || (flags.strict === true && report.warnings > 0);
  await output.result(reportText(report), { ok: !failed, ...report });
  return failed ? EXIT.unverified : EXIT.ok;
}

function findingLines({
  code,
  level,
  key,
  seq,
  toSeq,
  message,
  count: objects,
  versions,
  hint,
}: FsckFinding): string[] {
  const where = seq === undefined ? "" : `  ${seqRange(seq, toSeq ?? seq)}`;
  const many = objects === undefined ? "" : `  (${count(objects, "object")})`;
  const name = level === "evidence" ? paint("red", code) : code;
  const lines = [`${name}  ${oneLine(key)}${where}${many}`, `  ${oneLine(message)}`];
  for (const { versionId, deleteMarker, size, modifiedAt } of versions ?? []) {
    const at = modifiedAt === undefined ? "" : `  ${new Date(modifiedAt).toISOString()}`;
    const what = deleteMarker ? "delete marker" : `${String(size)} bytes`;
    lines.push(`  ${oneLine(versionId)}${at}  ${what}`);
  }
  if (hint !== undefined) lines.push(`  what to do: ${oneLine(hint)}`);
  return lines;
}

function findingJson({ code, level, key, seq, toSeq, message, count: objects, versions, hint }: FsckFinding): unknown {
  return {
    finding: {
      ...{ code, level, key },
      ...(seq !== undefined && { seq }),
      ...(toSeq !== undefined && { to_seq: toSeq }),
      ...(objects !== undefined && { count: objects }),
      ...(versions !== undefined && {
        versions: versions.map(({ versionId, deleteMarker, size, etag, modifiedAt }) => {
          return { version_id: versionId, delete_marker: deleteMarker, size, etag, modified_at: modifiedAt };
        }),
      }),
      message,
      ...(hint !== undefined && { hint }),
    },
  };
}

function reportText({ objects, bytes, events, versions, pruned, retained, evidence, warnings }: FsckReport): string {
  const parts = [
    `${count(objects, "object")}, ${String(bytes)} bytes; ${String(events)} of events`,
    ...(versions === undefined
      ? []
      : [`${count(versions, "version")} of events, ${String(pruned ?? 0)} of them pruned`]),
    ...(retained === undefined ? [] : [`asked for the retention of ${count(retained, "object")}`]),
  ];
  const found = `${evidence === 0 ? "no evidence" : paint("red", `EVIDENCE: ${count(evidence, "finding")}`)}; ${count(warnings, "warning")}`;
  const verdict = evidence === 0 && warnings === 0 ? paint("green", "all belongs, and nothing is missing") : found;
  return [...parts, verdict].join("\n");
}
