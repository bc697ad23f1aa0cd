import type { FileHandle } from "node:fs/promises";
import { systemIo, type FileIo } from "../../../src/stores/file/file-io.js";
import { event, ScratchLog } from "./scratch.js";

export type Operation = keyof FileIo;

/** The disk, with faults that are used up one by one. */
export class FaultyIo implements FileIo {
  readonly #faults: { readonly operation: Operation; readonly code: string; readonly bytes: number }[] = [];

  /** The next `operation` fails; a write only after so many bytes of it. */
  fail(operation: Operation, code: string, bytes = 0): this {
    this.#faults.push({ operation, code, bytes });
    return this;
  }

  get left(): number {
    return this.#faults.length;
  }

  async append(file: FileHandle, bytes: Buffer): Promise<void> {
    await this.#play(
      "append",
      (landed) => systemIo.append(file, bytes.subarray(0, landed)),
      () => systemIo.append(file, bytes),
    );
  }

  async sync(file: FileHandle): Promise<void> {
    await this.#play(
      "sync",
      async () => undefined,
      () => systemIo.sync(file),
    );
  }

  async truncate(file: FileHandle, size: number): Promise<void> {
    await this.#play(
      "truncate",
      async () => undefined,
      () => systemIo.truncate(file, size),
    );
  }

  async #play(
    operation: Operation,
    before: (bytes: number) => Promise<void>,
    work: () => Promise<void>,
  ): Promise<void> {
    const next = this.#faults[0];
    if (next?.operation !== operation) return work();
    this.#faults.shift();
    await before(next.bytes);
    throw Object.assign(new Error(`${next.code}: played`), { code: next.code });
  }
}

/** Lets so many writes, truncations and syncs pass before the faults begin. */
export function skipping(io: FaultyIo, appends: number, truncates = 0, syncs = 0): FileIo {
  const left = { append: appends, truncate: truncates, sync: syncs };
  return {
    append: (file, bytes) => (left.append-- > 0 ? systemIo : io).append(file, bytes),
    truncate: (file, size) => (left.truncate-- > 0 ? systemIo : io).truncate(file, size),
    sync: (file) => (left.sync-- > 0 ? systemIo : io).sync(file),
  };
}

/** A log of two records. */
export async function twoRecords(): Promise<ScratchLog> {
  const log = new ScratchLog();
  await log.with(async (store) => {
    await store.appendWithRetry(event(0));
    await store.appendWithRetry(event(1));
  });
  return log;
}
