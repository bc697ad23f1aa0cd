import { mkdir, readdir, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { EventStore, Head } from "@rynxs/event-store";
import { CliError } from "../exit.js";
import type { Layout } from "./format.js";
import { exportFile } from "./format.js";
import type { Filters, Manifest, Part } from "./manifest.js";
import { manifestText, MANIFEST, partitionName, partName, readManifest, writeManifest } from "./manifest.js";
import { fileError } from "./whole-file.js";

/** Events in a part, unless the caller or the folder says otherwise. */
const ROWS_PER_FILE = 1_000_000;

export interface PartsRequest {
  readonly layout: Layout;
  readonly filters: Filters;
  readonly from: number | undefined;
  readonly rowsPerFile: number | undefined;
  /** Undefined: as the folder has it. */
  readonly partitioned: boolean | undefined;
}

/** An export into a folder: part files, each whole or absent, and a manifest that says which log and which events they are. */
export class PartsExport {
  readonly #store: EventStore;
  readonly #folder: string;
  /** What this run found, and what there is now. */
  readonly before: Manifest;
  #manifest: Manifest;

  private constructor(store: EventStore, folder: string, manifest: Manifest) {
    this.#store = store;
    this.#folder = folder;
    this.before = manifest;
    this.#manifest = manifest;
  }

  get manifest(): Manifest {
    return this.#manifest;
  }

  /**
   * Begins an export, or goes on with the one that the folder holds.
   * @throws CliError when the folder holds something else, or an export of another log, or of other events
   */
  static async open(store: EventStore, folder: string, request: PartsRequest): Promise<PartsExport> {
    await mkdir(folder, { recursive: true }).catch((error: unknown) => {
      throw fileError("PATH_UNUSABLE", `cannot make ${folder}`, folder, error);
    });
    const found = await readManifest(folder);
    if (found === null) {
      const [leftover] = (await partFiles(folder)).filter((file) => !isTemporary(file));
      if (leftover !== undefined) throw noManifest(folder, leftover);
      const manifest = await newManifest(store, request);
      await writeManifest(folder, manifest);
      return new PartsExport(store, folder, manifest);
    }
    checkSame(folder, found, request);
    await checkLog(store, folder, found);
    const rowsPerFile = request.rowsPerFile ?? found.rowsPerFile;
    return new PartsExport(store, folder, { ...found, rowsPerFile, source: store.location });
  }

  /** The seqs that the next part has when the log ends, or is to end, at `end`; null when there is nothing more. */
  next(end: number): { first: number; last: number } | null {
    const first = this.#manifest.head.seq + 1;
    if (first > end) return null;
    const size = this.#manifest.rowsPerFile;
    return { first, last: Math.min(end, Math.floor(first / size) * size + size - 1) };
  }

  /** Writes one part, and then the manifest that knows it. */
  async write(
    { first, last }: { first: number; last: number },
    signal: AbortSignal,
    onRow: (rows: number) => void,
  ): Promise<Part> {
    const manifest = this.#manifest;
    const { layout, filters, head, rowsPerFile } = manifest;
    const name = partName(first, last, layout.format);
    const start = Math.floor(first / rowsPerFile) * rowsPerFile;
    const file = manifest.partitioned ? `${partitionName(start)}/${name}` : name;
    const path = join(this.#folder, file);
    if (manifest.partitioned) await mkdir(dirname(path), { recursive: true });
    const range = { ...filters, anchor: head, toSeq: last, signal };
    const facts = await exportFile(this.#store, range, layout, path, onRow);
    const hash = await this.#store.getEventHash(last);
    if (hash === null)
      throw new CliError("TRUNCATED", `the log no longer has record ${String(last)}`, { facts: { seq: last } });
    const part = { file, first, last, ...facts };
    await this.#save({ ...manifest, head: { seq: last, hash }, parts: [...manifest.parts, part] });
    return part;
  }

  /** Removes what a run that was killed left: unfinished files, and whole ones of which it could not say so any more. */
  async tidy(): Promise<void> {
    const known = new Set(this.#manifest.parts.map(({ file }) => file));
    for (const file of await partFiles(this.#folder)) if (!known.has(file)) await unlink(join(this.#folder, file));
  }

  async #save(manifest: Manifest): Promise<void> {
    const stored = await readManifest(this.#folder);
    const same = stored !== null && sameParts(stored, this.#manifest);
    if (!same) throw anotherExport(this.#folder);
    await writeManifest(this.#folder, manifest);
    this.#manifest = manifest;
  }
}

async function newManifest(store: EventStore, request: PartsRequest): Promise<Manifest> {
  const { layout, filters, from = 0, rowsPerFile = ROWS_PER_FILE, partitioned = false } = request;
  return {
    source: store.location,
    layout,
    filters,
    from,
    rowsPerFile,
    partitioned,
    head: await recordBefore(store, from),
    parts: [],
  };
}

async function recordBefore(store: EventStore, from: number): Promise<Head> {
  if (from === 0) return { seq: -1, hash: "0".repeat(64) };
  const hash = await store.getEventHash(from - 1);
  if (hash !== null) return { seq: from - 1, hash };
  throw new CliError("INVALID_CONFIG", `the log does not reach seq ${String(from)}: nothing was exported`, {
    facts: { seq: from },
    hint: "rynxs head shows where it ends",
  });
}

/** Part files directly in the folder and in its partitions, as a manifest names them; unfinished ones too. */
async function partFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  const partitions = names.filter((name) => /^range=\d{10}$/.test(name));
  const inside = await Promise.all(
    partitions.map(async (partition) => (await readdir(join(folder, partition))).map((name) => `${partition}/${name}`)),
  );
  const part =
    /(^|\/)(\.?events-\d{10}-\d{10}\.(ndjson|csv|parquet)(\.tmp-[0-9a-f]{12})?|\._export\.json\.tmp-[0-9a-f]{12})$/;
  return [...names, ...inside.flat()].filter((name) => part.test(name)).sort();
}

/** Written by `WholeFile`, which was never finished. */
function isTemporary(file: string): boolean {
  return /\.tmp-[0-9a-f]{12}$/.test(file);
}

function sameParts(a: Manifest, b: Manifest): boolean {
  return manifestText({ ...a, source: "", rowsPerFile: 1 }) === manifestText({ ...b, source: "", rowsPerFile: 1 });
}

type Option = string | number | boolean | undefined;
type Difference = readonly [name: string, before: Option, now: Option];

/** Other events than before would make the folder a mixture that no query can be asked of. */
function checkSame(folder: string, found: Manifest, request: PartsRequest): void {
  const differences: Difference[] = [
    ["--format", found.layout.format, request.layout.format],
    ["--raw", found.layout.raw, request.layout.raw],
    ["--guard-formulas", found.layout.guardFormulas, request.layout.guardFormulas],
    ["--aggregate", found.filters.aggregateId, request.filters.aggregateId],
    ["--type", found.filters.type, request.filters.type],
    ["--from", found.from, request.from ?? found.from],
    ["--partitioned", found.partitioned, request.partitioned ?? found.partitioned],
  ];
  const [option, before, now] = differences.find(([, a, b]) => a !== b) ?? [];
  if (option === undefined) return;
  throw new CliError("INVALID_CONFIG", `${folder} holds an export with another ${option}; nothing was exported`, {
    facts: { expected: show(before), actual: show(now) },
    hint: "give the options that it was begun with, or export into another folder",
  });
}

function show(value: Difference[1]): string {
  return value === undefined ? "none" : String(value);
}

async function checkLog(store: EventStore, folder: string, { head, source }: Manifest): Promise<void> {
  const hash = head.seq < 0 ? head.hash : await store.getEventHash(head.seq);
  if (hash === head.hash) return;
  const reached = hash ?? `no record ${String(head.seq)}`;
  throw new CliError(
    "NOT_A_PREFIX",
    `${folder} holds an export of another log, or this log was changed; nothing was exported`,
    {
      facts: { seq: head.seq, expected: head.hash, actual: reached, exported_from: source },
      hint: "export into another folder; if it is the same log, verify it",
    },
  );
}

function noManifest(folder: string, file: string): CliError {
  return new CliError("INVALID_CONFIG", `${folder} holds part files but no ${MANIFEST}; nothing was exported`, {
    facts: { file: join(folder, file) },
    hint: "export into another folder, or remove what is there",
  });
}

function anotherExport(folder: string): CliError {
  return new CliError("CONFLICT", `somebody else exports into ${folder} at the same time`, {
    facts: { file: join(folder, MANIFEST) },
    hint: "run one export a folder; running this one again goes on behind the parts that are there",
  });
}
