import type { HoldRange, HoldReport, HoldState, LogHold } from "@rynxs/event-store";
import { holdOf } from "@rynxs/event-store";
import type { Context } from "../context.js";
import { describe, interruptedBy, usageError } from "../exit.js";
import type { StoreFlags } from "../options.js";
import { bucketLog } from "../options.js";
import type { Output } from "../output.js";
import { startProgress } from "../progress.js";
import { count, seqRange } from "../text.js";

export type HoldAction = "on" | "off" | "show";

export interface HoldFlags extends StoreFlags {
  readonly from?: number;
  readonly to?: number;
  readonly yes?: true;
}

/** Sets or lifts the legal hold of a range of events, or says how they are locked. Run again, it does the same again. */
export async function hold(action: HoldAction, flags: HoldFlags, context: Context): Promise<void> {
  if (action === "show" && flags.yes) throw usageError("--yes goes with on and off");
  const locks = await holdOf(await bucketLog(flags));
  const { stop: signal } = context.interrupts;
  const range = { fromSeq: flags.from, toSeq: flags.to, signal };
  try {
    if (action === "show") await show(locks, range, context);
    else if (flags.yes) await set(locks, action === "on", range, context);
    else await plan(locks, action, range, context.output);
  } catch (error) {
    if (signal.aborted && describe(error).code === "ABORTED") throw interruptedBy("looking", {});
    throw error;
  } finally {
    await locks.close();
  }
}

async function plan(locks: LogHold, action: "on" | "off", range: HoldRange, output: Output): Promise<void> {
  const report = await locks.plan(range);
  const verb = action === "on" ? "would be held" : "would no longer be held";
  await output.result(`${objectsText(report)} ${verb}`, { ...report, hold: action === "on", applied: false });
  if (report.versions > 0 && !output.json) output.note("nothing was changed: run it again with --yes to do so");
}

async function set(locks: LogHold, on: boolean, range: HoldRange, { output, interrupts }: Context): Promise<void> {
  const progress = await startProgress(on ? "holding" : "lifting", undefined, "versions");
  let done = { versions: 0, seq: -1 };
  try {
    const report = await locks.set(on, {
      ...range,
      onProgress: (versions, seq) => {
        done = { versions, seq };
        progress.update(versions);
      },
    });
    const text = `${objectsText(report)} ${on ? "held" : "no longer held"}`;
    await output.result(text, { ...report, hold: on, applied: true });
  } catch (error) {
    const aborted = interrupts.stop.aborted && describe(error).code === "ABORTED";
    if (!aborted) throw error;
    const hint =
      done.seq < 0 ? "run the same command again" : `run it again, with --from ${String(done.seq)} to go on from there`;
    throw interruptedBy(on ? "holding" : "lifting", { versions: done.versions, seq: done.seq }, hint);
  } finally {
    progress.stop();
  }
}

function objectsText({ events, segments, versions }: HoldReport): string {
  if (versions === 0) return "no objects of this range:";
  const more = segments === 0 ? "" : ` and ${count(segments, "segment")}`;
  return `${count(events, "event object")}${more}, ${count(versions, "version")},`;
}

/** Neighbours that are locked alike. */
interface Run {
  readonly kind: HoldState["kind"];
  readonly hold: boolean;
  readonly mode: string | null;
  readonly latest: boolean;
  readonly first: number;
  last: number;
  versions: number;
  /** The first end of a retention among them; Unix milliseconds. */
  until: number;
}

async function show(locks: LogHold, range: HoldRange, { output }: Context): Promise<void> {
  const progress = await startProgress("asking", undefined, "versions");
  let run: Run | null = null;
  let [versions, held, unretained] = [0, 0, 0];
  try {
    for await (const state of locks.show(range)) {
      progress.update((versions += 1));
      if (state.hold) held += 1;
      if (state.retention === "none") unretained += 1;
      if (run !== null && !isLike(run, state)) {
        await printRun(run, output);
        run = null;
      }
      run = joined(run, state);
      if (output.closed) return;
    }
  } finally {
    progress.stop();
  }
  if (run !== null) await printRun(run, output);
  const text = `${count(versions, "version")}: ${String(held)} held, ${String(unretained)} without a retention`;
  await output.result(text, { versions, held, unretained });
}

function isLike({ kind, hold, mode, latest }: Run, state: HoldState): boolean {
  return kind === state.kind && hold === state.hold && latest === state.latest && mode === modeOf(state);
}

function joined(run: Run | null, state: HoldState): Run {
  const { kind, hold, latest, seq, retention } = state;
  const until = retention === "none" ? Infinity : retention.until;
  if (run === null) return { kind, hold, latest, mode: modeOf(state), first: seq, last: seq, versions: 1, until };
  run.last = seq;
  run.versions += 1;
  run.until = Math.min(run.until, until);
  return run;
}

function modeOf({ retention }: HoldState): string | null {
  return retention === "none" ? null : retention.mode;
}

async function printRun(
  { kind, hold, mode, latest, first, last, versions, until }: Run,
  output: Output,
): Promise<void> {
  const end = mode === null ? null : new Date(until).toISOString();
  if (output.json) {
    await output.data({
      range: { kind, first, last, versions, current: latest, hold, mode, ...(end !== null && { retained_until: end }) },
    });
    return;
  }
  const what = kind === "segment" ? "segments from " : "";
  const retained = end === null ? "not retained" : `${mode ?? ""} up to ${end}${versions > 1 ? " or later" : ""}`;
  const old = latest ? "" : "  (not the current version)";
  await output.line(`${what}${seqRange(first, last)}  ${hold ? "held" : "not held"}  ${retained}${old}`);
}
