import { createHash, randomUUID } from "node:crypto";
import { link, open, readdir, rename, stat, unlink, type FileHandle } from "node:fs/promises";
import { join, resolve } from "node:path";
import { BackendError, EventStoreError } from "../core/errors.js";
import { makeDirectory, syncDirectory } from "../system/directories.js";
import { lockFile } from "../system/file-lock.js";
import { errnoOf, ioError } from "../system/io-error.js";
import { systemRuntime, type Runtime } from "../system/runtime.js";
import type { KeyStore } from "./key-store.js";
import { keyStoreOn, type Document, type KeyPlace, type Written } from "./place.js";
import { openSecret, readSecret, refuseLoose } from "./secret-file.js";

export interface FileKeyStoreOptions {
  /** The directory, of this user alone (0700); made when it is missing. */
  readonly path: string;
  /** Clock and pauses, for tests. */
  readonly runtime?: Runtime | undefined;
}

/**
 * Keys as files `DIR/{sha256 of the subject}.json` of mode 0600, for any number of processes on one machine. What is replaced is
 * overwritten before its blocks are given back, which a disk, a snapshot or a backup may keep all the same: docs/operations/shredding.md.
 */
export function fileKeyStore({ path, runtime = systemRuntime }: FileKeyStoreOptions): KeyStore {
  return keyStoreOn(new FilePlace(resolve(path)), runtime);
}

const NAME = /^[0-9a-f]{64}\.json$/;
const LOCK = ".lock";
const TEMPORARY = ".new-";
const LOCK_MS = 20_000;

/** A document's revision is the SHA-256 of its bytes: no two saves write the same ones. */
class FilePlace implements KeyPlace {
  readonly location: string;
  readonly #path: string;
  #ready: Promise<void> | null = null;

  constructor(path: string) {
    this.#path = path;
    this.location = `file:${path}`;
  }

  where(name: string): string {
    return join(this.#path, `${name}.json`);
  }

  async read(name: string): Promise<Document | null> {
    await this.#checkDirectory();
    return readDocument(this.where(name));
  }

  async create(name: string, bytes: Buffer): Promise<Written> {
    await this.#prepare();
    const path = this.where(name);
    const temporary = await this.#writeTemporary(bytes);
    try {
      await link(temporary, path);
    } catch (error) {
      if (errnoOf(error) === "EEXIST") return "lost";
      throw ioError(error, { operation: "create", file: path });
    } finally {
      await unlink(temporary).catch(() => undefined);
    }
    await syncDirectory(this.#path);
    return { revision: revisionOf(bytes) };
  }

  async replace(name: string, bytes: Buffer, revision: string): Promise<Written> {
    await this.#prepare();
    const path = this.where(name);
    const lock = await this.#lock();
    try {
      const found = await readDocument(path);
      if (found?.revision !== revision) return "lost";
      // Held open, so that its bytes can be overwritten once the name is the new file's. Not before: a crash would lose both.
      const old = await openSecret(path, "r+");
      try {
        const temporary = await this.#writeTemporary(bytes);
        await rename(temporary, path);
        await syncDirectory(this.#path);
        await overwrite(old, found.bytes.length);
      } finally {
        await old.close();
      }
      return { revision: revisionOf(bytes) };
    } catch (error) {
      throw ioErrorOf(error, "replace", path);
    } finally {
      await lock.close();
    }
  }

  async *names(): AsyncGenerator<string, void, undefined> {
    await this.#checkDirectory();
    let files: string[];
    try {
      files = await readdir(this.#path);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return;
      throw ioError(error, { operation: "list", file: this.#path });
    }
    for (const file of files) if (NAME.test(file)) yield file.slice(0, -".json".length);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** A directory that does not exist holds nothing. */
  async #checkDirectory(): Promise<void> {
    try {
      refuseLoose(this.#path, await stat(this.#path));
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw ioErrorOf(error, "open", this.#path);
    }
  }

  /** Made once, of mode 0700 from its first moment on as far as umask goes; checked every time. */
  async #prepare(): Promise<void> {
    this.#ready ??= this.#make();
    try {
      await this.#ready;
    } catch (error) {
      this.#ready = null;
      throw error;
    }
    await this.#checkDirectory();
  }

  async #make(): Promise<void> {
    try {
      await stat(this.#path);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw ioError(error, { operation: "open", file: this.#path });
      await makeDirectory(this.#path, 0o700);
    }
  }

  async #lock(): Promise<FileHandle> {
    const path = join(this.#path, LOCK);
    let file: FileHandle;
    try {
      file = await open(path, "a", 0o600);
    } catch (error) {
      throw ioError(error, { operation: "lock", file: path });
    }
    const locked = await lockFile(file.fd, { mode: "exclusive", wait: true, timeoutMs: LOCK_MS }).catch(
      async (error: unknown) => {
        await file.close();
        throw error;
      },
    );
    if (locked) return file;
    await file.close();
    throw new BackendError("UNAVAILABLE", "another process holds the lock of the key store", {
      facts: { operation: "lock", file: path },
      hint: "look which one it is, and try again",
    });
  }

  async #writeTemporary(bytes: Buffer): Promise<string> {
    const path = join(this.#path, TEMPORARY + randomUUID());
    try {
      const file = await open(path, "wx", 0o600);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
    } catch (error) {
      await unlink(path).catch(() => undefined);
      throw ioError(error, { operation: "write", file: path });
    }
    return path;
  }
}

function revisionOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** How often a file is opened again that is overwritten while it is read. */
const LOOKS = 8;

async function readDocument(path: string): Promise<Document | null> {
  for (let look = 1; ; look++) {
    try {
      const bytes = await readSecret(path);
      // Overwritten since it was opened: the name is another file's by now.
      if (bytes.includes(0) && look < LOOKS) continue;
      return { bytes, revision: revisionOf(bytes) };
    } catch (error) {
      if (error instanceof BackendError && error.facts.backendCode === "ENOENT") return null;
      throw error;
    }
  }
}

/** With zeros, which no document has: a reader that still holds the old file sees that it is gone. */
async function overwrite(file: FileHandle, length: number): Promise<void> {
  await file.write(Buffer.alloc(length), 0, length, 0);
  await file.sync();
}

function ioErrorOf(error: unknown, operation: string, file: string): unknown {
  return error instanceof EventStoreError ? error : ioError(error, { operation, file });
}
