import { availableParallelism } from "node:os";
import type { EventStore, Head, PointerReport, VerifyReport } from "@rynxs/event-store";
import { anchorNote } from "../anchor-note.js";
import type { Context } from "../context.js";
import { describe, EXIT, failureText } from "../exit.js";
import type { StoreFlags } from "../options.js";
import { openStore, showHead, withStore } from "../options.js";
import type { Output } from "../output.js";
import { paint } from "../output.js";
import type { Progress } from "../progress.js";
import { startProgress } from "../progress.js";
import { count, oneLine, seqRange } from "../text.js";

export interface VerifyFlags extends StoreFlags {
  readonly from?: number;
  readonly anchor?: Head;
  readonly expectHead?: Head;
  readonly jobs?: number;
  readonly segments?: true;
  readonly pointers?: true;
  readonly oldestVersions?: true;
}

/** More threads than that wait for one another. */
const MAX_DEFAULT_JOBS = 8;

/** @returns the exit code: the report itself is the output, also when the log is not valid */
export async function verify(flags: VerifyFlags, { output, interrupts }: Context): Promise<number> {
  const report = await withStore(openToVerify(flags, output), async (store) => {
    const progress = await progressOf(store, flags);
    try {
      return await store.verify({
        fromSeq: flags.from,
        anchor: flags.anchor,
        expectedHead: flags.expectHead,
        workers: flags.jobs ?? Math.min(availableParallelism(), MAX_DEFAULT_JOBS),
        segments: flags.segments ?? false,
        pointers: flags.pointers ?? false,
        signal: interrupts.stop,
        onProgress: ({ events }) => {
          progress.update(events);
        },
      });
    } finally {
      progress.stop();
    }
  });
  if (output.json) await output.data(reportJson(report));
  else await output.line(reportText(report));
  await output.flush();
  if (!report.valid && !output.json) output.note(failureText(describe(report.error)));
  return report.valid && (report.pointers?.brokenCount ?? 0) === 0 ? EXIT.ok : EXIT.unverified;
}

function openToVerify(flags: VerifyFlags, output: Output): Promise<EventStore> {
  return openStore(flags, output, { readOnly: true, oldestVersions: flags.oldestVersions ?? false });
}

async function progressOf(store: EventStore, flags: VerifyFlags): Promise<Progress> {
  if (!process.stderr.isTTY) return await startProgress("verifying");
  // a head that cannot be had, for whatever reason, is for the verification itself to report
  const head = await store.head().catch(() => undefined);
  const first = flags.anchor === undefined ? (flags.from ?? 0) : flags.anchor.seq + 1;
  return await startProgress("verifying", head === undefined ? undefined : Math.max(0, head.seq + 1 - first));
}

/** The documented shape: `error` is absent from a valid log's report; `error.seq` is the seq expected at the fault. */
function reportJson({ valid, events, head, error, pointers }: VerifyReport): Record<string, unknown> {
  const { code, seq, expected, actual } = error ?? {};
  return {
    valid,
    events,
    head: { seq: head.seq, hash: head.hash },
    ...(error === undefined ? {} : { error: { code, seq, expected, actual } }),
    ...(pointers === undefined ? {} : { pointers: pointersJson(pointers) }),
  };
}

function pointersJson({ checked, unverified, brokenCount, broken }: PointerReport): Record<string, unknown> {
  return {
    checked,
    unverified,
    broken_count: brokenCount,
    broken: broken.map(({ seq, reason, triggerSeq, expected, actual }) => {
      return { seq, reason, trigger_event_seq: triggerSeq, expected, actual };
    }),
  };
}

/** One line for the verdict, and one for each broken link that the report names. */
function pointersText({ checked, unverified, brokenCount, broken }: PointerReport): string[] {
  const lost =
    unverified === 0 ? "" : `; ${String(unverified)} of them before the anchor, where the log has nothing to compare`;
  if (brokenCount === 0)
    return [`pointers: ${checked === 0 ? "none" : `${count(checked, "link")}, none broken`}${lost}`];
  const lines = broken.map(({ seq, reason, triggerSeq, expected, actual }) => {
    const to = triggerSeq === null ? "" : ` to ${String(triggerSeq)}`;
    return oneLine(`  seq ${String(seq)}${to}  ${reason}  expected ${String(expected)}  actual ${String(actual)}`);
  });
  const more = brokenCount - broken.length;
  return [
    `${paint("red", "BROKEN POINTERS")}: ${String(brokenCount)} of ${count(checked, "link")}${lost}`,
    ...lines,
    ...(more > 0 ? [`  and ${String(more)} more`] : []),
  ];
}

function reportText({ valid, events, head, anchor, pointers }: VerifyReport): string {
  const range = events === 0 ? "" : `, ${seqRange(head.seq - events + 1, head.seq)}`;
  const lines = valid
    ? [`${paint("green", "valid")}: ${count(events, "event")}${range}`, `head ${showHead(head)}`]
    : [
        `${paint("red", "NOT VALID")}: ${count(events, "good event")} before the fault${range}`,
        `last good ${showHead(head)}`,
      ];
  const note = anchorNote(anchor);
  if (note !== undefined) lines.push(note);
  return [...lines, ...(pointers === undefined ? [] : pointersText(pointers))].join("\n");
}
