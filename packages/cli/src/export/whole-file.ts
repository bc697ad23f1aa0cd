import { createHash, randomBytes } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { open, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { CliError } from "../exit.js";

/** What a finished file is. */
export interface FileFacts {
  readonly bytes: number;
  /** SHA-256 of its content, 64 lowercase hex. */
  readonly sha256: string;
}

/**
 * A file that is there whole or not at all: written under another name (a dot in front, `.tmp-` behind), synced, and only
 * then given its own. What stood under that name before is replaced in that moment.
 */
export class WholeFile {
  readonly path: string;
  readonly #temporary: string;
  readonly #file: FileHandle;
  readonly #hash = createHash("sha256");
  #bytes = 0;

  private constructor(path: string, temporary: string, file: FileHandle) {
    this.path = path;
    this.#temporary = temporary;
    this.#file = file;
  }

  /** @throws CliError PATH_UNUSABLE */
  static async create(path: string): Promise<WholeFile> {
    const temporary = join(dirname(path), `.${basename(path)}.tmp-${randomBytes(6).toString("hex")}`);
    try {
      return new WholeFile(path, temporary, await open(temporary, "wx"));
    } catch (error) {
      throw fileError("PATH_UNUSABLE", `cannot create ${path}`, path, error);
    }
  }

  async write(chunk: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < chunk.length;) at += (await this.#file.write(chunk, at)).bytesWritten;
    } catch (error) {
      throw fileError("IO_FAILED", `cannot write ${this.path}`, this.path, error);
    }
    this.#hash.update(chunk);
    this.#bytes += chunk.length;
  }

  /** Makes it durable under its own name. */
  async finish(): Promise<FileFacts> {
    try {
      await this.#file.sync();
      await this.#file.close();
      await rename(this.#temporary, this.path);
      await syncDirectory(dirname(this.path));
    } catch (error) {
      throw fileError("IO_FAILED", `cannot finish ${this.path}`, this.path, error);
    }
    return { bytes: this.#bytes, sha256: this.#hash.digest("hex") };
  }

  /** Leaves nothing of it. After `finish` there is nothing to leave. */
  async discard(): Promise<void> {
    await this.#file.close().catch(() => undefined);
    await unlink(this.#temporary).catch(() => undefined);
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** An error of the file system as a CliError with the file's name and the system's own words. */
export function fileError(code: "PATH_UNUSABLE" | "IO_FAILED", what: string, file: string, error: unknown): CliError {
  const { message, code: errno } = error as NodeJS.ErrnoException;
  const full = errno === "ENOSPC" || errno === "EDQUOT";
  return new CliError(full ? "DISK_FULL" : code, `${what}: ${message}`, {
    facts: { file, backendCode: errno },
    hint: full ? "free some space and run the same command again" : "choose a path that can be written",
    cause: error,
  });
}
