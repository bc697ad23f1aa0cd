import type { Stats } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { ConfigError } from "../core/errors.js";
import { ioError } from "../system/io-error.js";

/** A secret that others may read is none. @throws ConfigError */
export function refuseLoose(path: string, stats: Stats): void {
  if ((stats.mode & 0o077) === 0) return;
  const mode = (stats.mode & 0o777).toString(8).padStart(4, "0");
  const wanted = stats.isDirectory() ? "0700" : "0600";
  throw new ConfigError(`${path} holds secrets, and others than its owner may use it (mode ${mode})`, {
    facts: { file: path, expected: wanted, actual: mode },
    hint: `chmod ${wanted} it, and consider what was readable until now as known to others`,
  });
}

/** Opens a file of the owner's alone; what is checked is what is opened. @throws ConfigError; BackendError */
export async function openSecret(path: string, flags: "r" | "r+"): Promise<FileHandle> {
  let file: FileHandle;
  try {
    file = await open(path, flags);
  } catch (error) {
    throw ioError(error, { operation: "open", file: path });
  }
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new ConfigError(`${path} is not a file`, { facts: { file: path } });
    refuseLoose(path, stats);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The bytes of a file of the owner's alone. @throws ConfigError when its mode is looser than 0600; BackendError */
export async function readSecret(path: string): Promise<Buffer> {
  const file = await openSecret(path, "r");
  try {
    return await file.readFile();
  } catch (error) {
    throw ioError(error, { operation: "read", file: path });
  } finally {
    await file.close();
  }
}
