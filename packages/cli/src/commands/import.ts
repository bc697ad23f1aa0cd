import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import type { EventStore } from "@rynxs/event-store";
import { systemRuntime } from "@rynxs/event-store";
import type { Context } from "../context.js";
import { CliError, describe, extend, usageError } from "../exit.js";
import type { MappedEvent, Mapper } from "../import/event.js";
import { Importer } from "../import/importer.js";
import { compileMap } from "../import/mapping.js";
import { ownEvent } from "../import/own-events.js";
import { NOTHING_DONE, Source } from "../import/source.js";
import { inputBytes } from "../input.js";
import { decodeUtf8 } from "../lines.js";
import type { RetainFlags } from "../options.js";
import { openStore, showHead, withStore } from "../options.js";
import type { Output } from "../output.js";
import { startProgress } from "../progress.js";
import { count, oneLine, seqRange } from "../text.js";

/** Events written to a file at a time: one fsync for all of them. */
const FILE_BATCH = 1000;
const SHOWN = 5;

export interface ImportFlags extends RetainFlags {
  readonly map?: string;
  readonly name?: string;
  readonly batch?: number;
  readonly dryRun?: true;
  readonly show?: number;
}

interface Mapping {
  readonly mapper: Mapper;
  /** What a later run must have too. */
  readonly identity: string;
}

/** Appends the events that the lines of a file become, each once, however often it is run. */
export async function importEvents(file: string, flags: ImportFlags, context: Context): Promise<void> {
  if (flags.show !== undefined && !flags.dryRun) throw usageError("--show goes with --dry-run");
  const { mapper, identity } = await mappingOf(flags.map);
  const source = new Source(inputBytes(file, context.interrupts.stop), mapper);
  if (flags.dryRun) {
    await dryRun(source, flags.show ?? SHOWN, context);
    return;
  }
  const name = nameOf(file, flags.name);
  await withStore(openStore(flags, context.output, { readOnly: false }), (store) =>
    importInto(store, source, name, identity, flags, context),
  );
}

async function mappingOf(file: string | undefined): Promise<Mapping> {
  if (file === undefined) return { mapper: ownEvent, identity: "own" };
  const bytes = await readFile(file).catch((error: unknown) => {
    throw usageError(`cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  });
  const identity = createHash("sha256").update(bytes).digest("hex");
  return { mapper: compileMap(textOf(bytes)), identity };
}

function textOf(bytes: Buffer): string {
  try {
    return decodeUtf8(bytes);
  } catch {
    throw usageError("the map is not UTF-8");
  }
}

function nameOf(file: string, given: string | undefined): string {
  if (given === undefined && file === "-") {
    throw usageError(
      "--name is missing",
      "it is what the log remembers this import by: give the same one to go on with it",
    );
  }
  const name = given ?? basename(file);
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(name)) return name;
  throw usageError(
    `${JSON.stringify(name)} cannot be an import's name`,
    "give a --name of letters, digits, ., _ and -",
  );
}

async function importInto(
  store: EventStore,
  source: Source,
  name: string,
  map: string,
  flags: ImportFlags,
  { output, interrupts }: Context,
): Promise<void> {
  const progress = await startProgress("importing");
  const importer = new Importer(store, {
    name,
    map,
    batch: flags.batch ?? (store.location.startsWith("s3:") ? 1 : FILE_BATCH),
    runtime: systemRuntime,
    stop: interrupts.stop,
    abort: interrupts.abort,
    onProgress: (n) => progress.update(n),
  });
  try {
    await importer.run(source);
  } catch (error) {
    if (!interrupts.stop.aborted || describe(error).code !== "ABORTED") throw brokenOff(error, importer);
  } finally {
    progress.stop();
  }
  if (interrupts.stop.aborted) {
    throw new CliError("INTERRUPTED", `stopped by a signal: ${countsOf(importer)}`, {
      hint: "run the same command again: it goes on from there",
      done: resultJson(importer),
    });
  }
  await output.result(`${countsOf(importer)}\nhead ${showHead(importer.head)}`, resultJson(importer));
}

/** Whatever happened to the last write, running it again is safe: that is what the position is for. */
function brokenOff(error: unknown, importer: Importer): CliError {
  const { code, message, facts, hint, done } = describe(extend(error, countsOf(importer), {}, resultJson(importer)));
  const again = "run the same command again: it finds out what is in the log, and goes on behind it";
  return new CliError(code, message, { facts, hint: code === "COMMIT_UNKNOWN" ? again : hint, done, cause: error });
}

function countsOf({ imported, already, mark, firstSeq, lastSeq }: Importer): string {
  const range = firstSeq === undefined || lastSeq === undefined ? "" : `, ${seqRange(firstSeq, lastSeq)}`;
  const known = already === 0 ? "" : `, ${String(already)} were there before`;
  const skipped = mark.skipped === 0 ? "" : `, ${count(mark.skipped, "line")} skipped`;
  return `${count(imported, "event")} imported${range}${known}${skipped}`;
}

/** `skipped` and `lines` count from the input's beginning; other writers may have appended between `first_seq` and `last_seq`. */
function resultJson({ imported, already, mark, firstSeq, lastSeq, head }: Importer): Record<string, unknown> {
  const { skipped, lines } = mark;
  const range = { first_seq: firstSeq, last_seq: lastSeq };
  return { imported, skipped, lines, already, ...range, head: { seq: head.seq, hash: head.hash } };
}

async function dryRun(source: Source, shown: number, { output, interrupts }: Context): Promise<void> {
  const progress = await startProgress("reading");
  const first: MappedEvent[] = [];
  try {
    let events = 0;
    for await (const { event } of source.events(NOTHING_DONE)) {
      if (first.length < shown) first.push(event);
      progress.update((events += 1));
      if (interrupts.stop.aborted) throw new CliError("INTERRUPTED", "stopped by a signal");
    }
  } finally {
    progress.stop();
  }
  const { events, skipped, lines } = source.mark();
  await report(output, first.map(eventText), { events, skipped, lines });
}

async function report(
  output: Output,
  first: readonly string[],
  counts: Readonly<Record<string, number>>,
): Promise<void> {
  const { events = 0, skipped = 0, lines = 0 } = counts;
  if (output.json) {
    const head = JSON.stringify({ events, skipped, lines }).slice(0, -1);
    await output.line(`${head},"first":[${first.join(",")}]}`);
    return;
  }
  for (const text of first) await output.line(oneLine(text));
  await output.line(
    `${count(events, "event")} of ${count(lines, "line")}, ${String(skipped)} skipped; nothing was imported`,
  );
}

/** As `rynxs append --stdin` takes it; without `ts` where the event would get the time of the import. */
function eventText({ type, aggregateId, ts, payload, meta }: MappedEvent): string {
  const time = ts === undefined ? "" : `"ts":${String(ts)},`;
  const names = `"type":${JSON.stringify(type)},"aggregate_id":${JSON.stringify(aggregateId)}`;
  return `{${names},${time}"payload":${payload.canonical},"meta":${meta.canonical}}`;
}
