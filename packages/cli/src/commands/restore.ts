import type { LogArchive, RestoreTier, SegmentRestore } from "@rynxs/event-store";
import { archiveOf } from "@rynxs/event-store";
import type { Context } from "../context.js";
import { CliError, describe } from "../exit.js";
import type { StoreFlags } from "../options.js";
import { bucketLog } from "../options.js";
import { startProgress } from "../progress.js";
import { count, seqRange, showTime } from "../text.js";

export interface RestoreFlags extends StoreFlags {
  readonly from?: number;
  readonly to?: number;
  readonly days: number;
  readonly tier: RestoreTier;
  readonly wait?: true;
  readonly interval: number;
}

/** Asks for copies of archived segments that can be read. Run again, it asks for nothing twice. */
export async function restore(flags: RestoreFlags, context: Context): Promise<void> {
  const { output, interrupts } = context;
  const { from: fromSeq, to: toSeq, days, tier } = flags;
  const archive = await archiveOf(await bucketLog(flags));
  try {
    const segments = await archive.restore({ fromSeq, toSeq, days, tier, signal: interrupts.stop });
    if (!output.json) for (const line of linesOf(segments, flags)) await output.line(line);
    await output.flush();
    const pending = segments.filter(({ state }) => state !== "readable");
    if (flags.wait) await wait(archive, segments, flags, context);
    if (output.json) await output.data(resultJson(segments, flags.wait === true));
    else if (flags.wait) await output.line("all can be read");
    else if (pending.length > 0) output.note("run the same command with --wait to wait until they can be read");
  } finally {
    await archive.close();
  }
}

async function wait(
  archive: LogArchive,
  segments: readonly SegmentRestore[],
  { interval }: RestoreFlags,
  { interrupts }: Context,
): Promise<void> {
  const progress = await startProgress("restoring", segments.length, "segments");
  try {
    await archive.untilReadable(segments, {
      pollMs: interval * 1000,
      signal: interrupts.stop,
      onProgress: (readable) => {
        progress.update(readable);
      },
    });
  } catch (error) {
    if (describe(error).code !== "ABORTED") throw error;
    throw new CliError("INTERRUPTED", "stopped by a signal: what was asked for is restored all the same", {
      hint: "run the same command again to go on waiting: it asks for nothing twice",
      done: resultJson(segments, false),
    });
  } finally {
    progress.stop();
  }
}

function linesOf(segments: readonly SegmentRestore[], { days, tier }: RestoreFlags): string[] {
  if (segments.length === 0) return ["no segments hold records of this range: there is nothing to restore"];
  const lines = segments.filter(({ answer }) => answer !== "none").map(segmentLine);
  const asked = segments.filter(({ answer }) => answer === "asked");
  const fine = segments.filter(({ answer }) => answer === "none").length;
  if (fine > 0) lines.push(`${count(fine, "segment")} can be read as ${fine === 1 ? "it is" : "they are"}`);
  if (asked.length === 0) return lines;
  const bytes = asked.reduce((sum, { size }) => sum + size, 0);
  const classes = [...new Set(asked.map(({ storageClass }) => storageClass))];
  return [
    ...lines,
    `asked for ${count(asked.length, "segment")}, ${sizeText(bytes)}, by the tier ${tier}`,
    ...classes.map((name) => `  ${name}: usually ${durationOf(name, tier)}`),
    `  cost: a fee per GB and per object, ${FEES[tier]}; then, for ${count(days, "day")},`,
    "  the copies as S3 Standard, beside the archived objects",
  ];
}

function segmentLine({ first, last, storageClass, answer, readableUntil }: SegmentRestore): string {
  const until = readableUntil === undefined ? "" : `, up to ${showTime(readableUntil)}`;
  const said = { asked: "asked for", "under-way": "was asked for before", prolonged: `kept longer${until}`, none: "" };
  return `${seqRange(first, last)}  ${storageClass}  ${said[answer]}`;
}

const FEES: Readonly<Record<RestoreTier, string>> = {
  Standard: "more than with Bulk",
  Bulk: "the lowest there is",
  Expedited: "by far the highest there is",
};

/** As AWS states it. */
function durationOf(storageClass: string, tier: RestoreTier): string {
  if (storageClass === "DEEP_ARCHIVE") return tier === "Bulk" ? "within 48 hours" : "within 12 hours";
  if (storageClass === "INTELLIGENT_TIERING")
    return { Standard: "3 to 12 hours", Bulk: "5 to 48 hours", Expedited: "1 to 5 minutes" }[tier];
  return { Standard: "3 to 5 hours", Bulk: "5 to 12 hours", Expedited: "1 to 5 minutes" }[tier];
}

function sizeText(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e3).toFixed(1)} KB`;
}

function resultJson(segments: readonly SegmentRestore[], waited: boolean): Record<string, unknown> {
  return {
    segments: segments.map(({ key, first, last, size, storageClass, state, readableUntil, answer }) => ({
      first,
      last,
      key,
      size,
      storage_class: storageClass,
      state: waited ? "readable" : state,
      answer,
      ...(readableUntil === undefined ? {} : { readable_until: readableUntil }),
    })),
    asked: segments.filter(({ answer }) => answer === "asked").length,
    readable: waited || segments.every(({ state }) => state === "readable"),
  };
}
