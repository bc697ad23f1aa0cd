import { deleteSnapshots, listSnapshots, project, type EventStore, type Projection } from "@rynxs/event-store";
import type { Context } from "../context.js";
import { CliError, describe, usageError } from "../exit.js";
import { openStore, showHead, withStore, type StoreFlags } from "../options.js";
import { loadProjection, startProjectionProgress } from "../projection-file.js";
import { count, pad } from "../text.js";

export interface SnapshotFlags extends StoreFlags {
  readonly projection: string;
  readonly every?: number;
  readonly keep?: number;
  readonly list?: true;
  readonly delete?: true;
}

/** So often without --every: what a run that is ended too early has to do again. */
const EVERY = 100_000;

export async function snapshot(flags: SnapshotFlags, context: Context): Promise<void> {
  if ((flags.list ?? flags.delete) && (flags.every ?? flags.keep) !== undefined)
    throw usageError("--every and --keep are for writing snapshots: they do not go with --list or --delete");
  const projection = await loadProjection(flags.projection);
  await withStore(openStore(flags, context.output, { readOnly: true }), async (store) => {
    if (flags.list) await list(store, projection, context);
    else if (flags.delete) await remove(store, projection, context);
    else await write(store, projection, flags, context);
  });
}

async function write(
  store: EventStore,
  projection: Projection<unknown>,
  flags: SnapshotFlags,
  { output, interrupts }: Context,
): Promise<void> {
  const progress = await startProjectionProgress("replaying", store);
  try {
    const found = await project(store, projection, {
      snapshot: true,
      snapshotEvery: flags.every ?? EVERY,
      keepSnapshots: flags.keep,
      signal: interrupts.stop,
      onProgress: ({ seq }) => {
        progress.update(seq + 1);
      },
      onWarning: output.warn,
    });
    const { head, from, events, stateHash } = found;
    if (head.seq > from && found.snapshot?.seq !== head.seq) throw notWritten(head.seq);
    const seq = head.seq < 0 ? null : head.seq;
    const said =
      seq === null ? "the log is empty: no snapshot" : seq === from ? upToDate(from) : `snapshot of seq ${String(seq)}`;
    const more =
      seq === null || seq === from
        ? ""
        : `, ${count(events, "event")} behind ${from < 0 ? "the beginning" : `seq ${String(from)}`}`;
    await output.result(`${said}${more}\nhead ${showHead(head)}`, {
      projection: projection.name,
      version: projection.version,
      seq,
      from,
      events,
      head: { seq: head.seq, hash: head.hash },
      state_hash: stateHash,
    });
  } catch (error) {
    if (!interrupts.stop.aborted || describe(error).code !== "ABORTED") throw error;
    throw new CliError("INTERRUPTED", "stopped by a signal", {
      hint: "run the same command again: it goes on from the last snapshot that was written (--every)",
      cause: error,
    });
  } finally {
    progress.stop();
  }
}

function upToDate(seq: number): string {
  return `nothing new behind the snapshot of seq ${String(seq)}`;
}

function notWritten(seq: number): CliError {
  return new CliError("UNAVAILABLE", `the snapshot of seq ${String(seq)} was not written`, {
    facts: { seq },
    hint: "the warning above says why; the log is not at fault",
  });
}

async function list(store: EventStore, { name }: Projection<unknown>, { output, interrupts }: Context): Promise<void> {
  const found = await listSnapshots(store, name, { signal: interrupts.stop });
  const rows = found.map(({ version, seq, bytes, modifiedAt }) => {
    const written = modifiedAt === undefined ? "" : `  ${new Date(modifiedAt).toISOString()}`;
    return `${pad(String(version), 7, "right")}  ${pad(String(seq), 10, "right")}  ${pad(String(bytes), 10, "right")}${written}`;
  });
  const heading = `VERSION  ${pad("SEQ", 10, "right")}  ${pad("BYTES", 10, "right")}  WRITTEN`;
  await output.result(rows.length === 0 ? `no snapshots of ${name}` : [heading, ...rows].join("\n"), {
    projection: name,
    snapshots: found.map(({ version, seq, key, bytes }) => ({ version, seq, bytes, key })),
  });
}

async function remove(
  store: EventStore,
  { name }: Projection<unknown>,
  { output, interrupts }: Context,
): Promise<void> {
  const deleted = await deleteSnapshots(store, name, { signal: interrupts.stop });
  await output.result(`${count(deleted, "snapshot")} of ${name} deleted`, { projection: name, deleted });
}
