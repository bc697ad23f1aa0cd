import type { EventStore, Head, StoredRecord } from "@rynxs/event-store";
import type { Context } from "../context.js";
import { CliError, extend, usageError } from "../exit.js";
import type { RetainFlags, StoreFlags } from "../options.js";
import { openStore, showHead, withStore } from "../options.js";
import type { Output } from "../output.js";
import type { Progress } from "../progress.js";
import { startProgress } from "../progress.js";
import { count, seqRange } from "../text.js";

/** Records written to a file at a time: one fsync for all of them; and, where segments are made of them, into one object. */
const CHUNK = 1000;
/** Bytes of records that are gathered at most. */
const CHUNK_BYTES = 4 * 1024 * 1024;

export interface CopyFlags extends Omit<RetainFlags, "store"> {
  readonly fromEndpoint?: string;
  readonly fromRegion?: string;
  readonly toEndpoint?: string;
  readonly toRegion?: string;
  readonly batch?: number;
  readonly segments?: true;
}

/** Copies a log record by record, verified on the way, byte for byte. Goes on where an earlier run ended. */
export async function copy(from: string, to: string, flags: CopyFlags, context: Context): Promise<void> {
  if (from === to) throw usageError("FROM and TO are the same store");
  if (flags.segments && !to.startsWith("s3:"))
    throw usageError("--segments is for a TO in a bucket", "a file is written as fast without it");
  const { output } = context;
  await withStore(
    openStore(side(from, flags.fromEndpoint, flags.fromRegion, flags), output, { readOnly: true }),
    (source) =>
      withStore(openStore(targetSide(to, flags), output, { readOnly: false }), (target) =>
        copyLog(source, target, chunkSize(to, flags), flags.segments ?? false, context),
      ),
  );
}

/** Records in one write. */
function chunkSize(to: string, { batch, segments }: CopyFlags): number {
  return batch ?? (to.startsWith("s3:") && !segments ? 1 : CHUNK);
}

/** Only what is written is retained. */
function targetSide(to: string, flags: CopyFlags): RetainFlags {
  const { retain, retainMode } = flags;
  return {
    ...side(to, flags.toEndpoint, flags.toRegion, flags),
    ...(retain !== undefined && { retain }),
    ...(retainMode !== undefined && { retainMode }),
  };
}

function side(store: string, endpoint: string | undefined, region: string | undefined, both: StoreFlags): StoreFlags {
  const [url, name] = [endpoint ?? both.endpoint, region ?? both.region];
  return { store, ...(url === undefined ? {} : { endpoint: url }), ...(name === undefined ? {} : { region: name }) };
}

async function copyLog(
  source: EventStore,
  target: EventStore,
  chunkSize: number,
  segments: boolean,
  context: Context,
): Promise<void> {
  const { output, interrupts } = context;
  const start = await commonHead(source, target);
  if (start.seq >= 0 && !output.json)
    output.note(`${target.location} already holds the log up to seq ${String(start.seq)}: going on behind it`);
  const progress = await progressOf(source, start);
  const writer = new ChunkWriter(target, start, chunkSize, interrupts.abort, progress);
  try {
    const range = start.seq < 0 ? {} : { anchor: start };
    for await (const record of source.readRecords({ ...range, signal: interrupts.stop })) {
      await writer.add(record);
      if (interrupts.stop.aborted) break;
    }
    await writer.flush();
    if (segments && !interrupts.stop.aborted) await target.compact({ signal: interrupts.stop });
  } catch (error) {
    if (!interrupts.stop.aborted) throw await brokenOff(error, writer, target, start);
  } finally {
    progress.stop();
  }
  if (interrupts.stop.aborted) {
    throw new CliError(
      "INTERRUPTED",
      `stopped by a signal: ${target.location} holds the log up to ${showHead(writer.head)}`,
      {
        hint: "run the same command again: it goes on from there",
        done: resultJson(writer, start),
      },
    );
  }
  await reportHeads(source, target, writer, start, output);
}

/** TO's head, once FROM was seen to have that very record at that place. */
async function commonHead(source: EventStore, target: EventStore): Promise<Head> {
  const head = await target.head();
  if (head.seq < 0) return head;
  const hash = await source.getEventHash(head.seq);
  if (hash === head.hash) return head;
  throw new CliError(
    "NOT_A_PREFIX",
    `${target.location} is not the beginning of ${source.location}: nothing was copied`,
    {
      facts: { seq: head.seq, expected: hash ?? `no record ${String(head.seq)} in FROM`, actual: head.hash },
      hint: "copy into an empty place, or into a log that was copied from this one and has not been appended to",
    },
  );
}

async function progressOf(source: EventStore, start: Head): Promise<Progress> {
  if (!process.stderr.isTTY) return await startProgress("copying");
  // a head that cannot be had, for whatever reason, is for the copy itself to report
  const head = await source.head().catch(() => undefined);
  return await startProgress("copying", head === undefined ? undefined : Math.max(0, head.seq - start.seq));
}

/** Hands records over in chunks; a chunk is written whole or not at all. */
class ChunkWriter {
  readonly #target: EventStore;
  readonly #size: number;
  readonly #signal: AbortSignal;
  readonly #progress: Progress;
  #chunk: StoredRecord[] = [];
  #bytes = 0;
  copied = 0;
  /** What the target is known to hold. */
  head: Head;

  constructor(target: EventStore, start: Head, size: number, signal: AbortSignal, progress: Progress) {
    this.#target = target;
    this.head = start;
    this.#size = size;
    this.#signal = signal;
    this.#progress = progress;
  }

  async add(record: StoredRecord): Promise<void> {
    if (this.#bytes + record.line.length > CHUNK_BYTES) await this.flush();
    this.#chunk.push(record);
    this.#bytes += record.line.length;
    if (this.#chunk.length >= this.#size) await this.flush();
  }

  async flush(): Promise<void> {
    const chunk = this.#chunk;
    this.#chunk = [];
    this.#bytes = 0;
    if (chunk.length === 0) return;
    this.head = await this.#target.importRecords(chunk, { signal: this.#signal });
    this.copied += chunk.length;
    this.#progress.update(this.copied);
  }
}

/** The failure, once the good records before it were written too. */
async function brokenOff(error: unknown, writer: ChunkWriter, target: EventStore, start: Head): Promise<CliError> {
  await writer.flush().catch(() => undefined);
  const holds =
    writer.head.seq < 0 ? "got nothing from this run" : `holds the log up to seq ${String(writer.head.seq)}`;
  return extend(error, `${target.location} ${holds}; then`, {}, resultJson(writer, start));
}

async function reportHeads(
  source: EventStore,
  target: EventStore,
  writer: ChunkWriter,
  start: Head,
  output: Output,
): Promise<void> {
  const { head, copied } = writer;
  const [there, here] = await Promise.all([source.head(), target.head()]);
  if (showHead(here) !== showHead(head)) {
    throw new CliError("CONFLICT", `somebody else appended to ${target.location} during the copy`, {
      facts: { seq: head.seq, expected: showHead(head), actual: showHead(here) },
      hint: "run the same command again: it says whether TO is still the beginning of FROM",
      done: resultJson(writer, start),
    });
  }
  const what =
    copied === 0 ? "nothing to copy" : `${count(copied, "event")} copied, ${seqRange(start.seq + 1, head.seq)}`;
  const heads = [`head of FROM  ${showHead(there)}`, `head of TO    ${showHead(here)}`];
  await output.result([what, ...heads].join("\n"), resultJson(writer, start));
  if (there.seq > here.seq) output.note("FROM has grown meanwhile: run the same command again to copy what is new");
}

/** `first_seq` to `head.seq` is what this run copied. */
function resultJson(writer: ChunkWriter, start: Head): Record<string, unknown> {
  return { copied: writer.copied, first_seq: start.seq + 1, head: { seq: writer.head.seq, hash: writer.head.hash } };
}
