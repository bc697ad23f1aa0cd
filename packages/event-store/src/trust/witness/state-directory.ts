import { constants } from "node:fs";
import { open, rename, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { BackendError } from "../../core/errors.js";
import { makeDirectory, syncDirectory } from "../../system/directories.js";
import { lockFile } from "../../system/file-lock.js";
import { errnoOf, ioError } from "../../system/io-error.js";
import { MAX_REQUEST_BYTES } from "./request.js";
import { originHash, type WitnessState } from "./witness.js";

export interface WitnessDirectory extends WitnessState {
  /** Gives the lock back. */
  close(): Promise<void>;
}

/**
 * A witness's state in a directory of its own: for each log a file `HASH.checkpoint`, HASH being SHA-256 of its origin, with mode 0600. The
 * directory is locked until `close`: two witnesses on one state could each sign what the other's contradicts.
 * @throws BackendError PATH_UNUSABLE, also when another process has it
 */
export async function openWitnessDirectory(path: string): Promise<WitnessDirectory> {
  await makeDirectory(path);
  const lock = await locked(join(path, "lock"));
  return {
    read: (origin) => readNote(noteFile(path, origin)),
    write: (origin, note) => writeNote(path, noteFile(path, origin), note),
    close: () => lock.close(),
  };
}

function noteFile(directory: string, origin: string): string {
  return join(directory, `${originHash(origin)}.checkpoint`);
}

async function locked(file: string): Promise<FileHandle> {
  let handle: FileHandle;
  try {
    handle = await open(file, "a", 0o600);
  } catch (error) {
    throw ioError(error, { operation: "lock", file });
  }
  try {
    if (await lockFile(handle.fd, { mode: "exclusive", wait: false })) return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  throw new BackendError("PATH_UNUSABLE", "another witness uses this state", {
    facts: { operation: "lock", file },
    hint: "give each witness a directory of its own, or end the other one",
  });
}

async function readNote(file: string): Promise<string | null> {
  let handle: FileHandle;
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw ioError(error, { operation: "read", file });
  }
  try {
    const buffer = Buffer.alloc(2 * MAX_REQUEST_BYTES);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    return buffer.toString("utf8", 0, bytesRead);
  } catch (error) {
    throw ioError(error, { operation: "read", file });
  } finally {
    await handle.close();
  }
}

/** Whole or not at all: a crash leaves the old note or the new one. */
async function writeNote(directory: string, file: string, note: string): Promise<void> {
  const fresh = `${file}.new`;
  try {
    const handle = await open(fresh, "w", 0o600);
    try {
      await handle.writeFile(note);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(fresh, file);
    await syncDirectory(directory);
  } catch (error) {
    throw ioError(error, { operation: "write", file });
  }
}
