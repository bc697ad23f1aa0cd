import { mkdir, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { BackendError } from "../core/errors.js";
import { errnoOf, ioError } from "./io-error.js";

/**
 * Makes a directory and the ones above it; those that it made are durable. (Node's own recursive mkdir never returns where
 * a directory cannot be made although the one above is there, as in /proc.) `mode` is of the last one; default 0777, less the umask.
 * @throws BackendError
 */
export async function makeDirectory(path: string, mode?: number): Promise<void> {
  if (await makeOne(path, mode)) return;
  await makeDirectory(dirname(path));
  if (await makeOne(path, mode)) return;
  throw new BackendError("PATH_UNUSABLE", `cannot create ${path}: the file system takes no directories there`, {
    facts: { operation: "create", file: path, backendCode: "ENOENT" },
    hint: "choose another path",
  });
}

/** Makes created, renamed or removed names in a directory durable. @throws BackendError */
export async function syncDirectory(path: string): Promise<void> {
  try {
    const directory = await open(path, "r");
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  } catch (error) {
    throw ioError(error, { operation: "fsync", file: path });
  }
}

/** False when the directory above is missing. */
async function makeOne(path: string, mode?: number): Promise<boolean> {
  try {
    await mkdir(path, mode);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "EEXIST" && (await isDirectory(path))) return true;
    if (errno === "ENOENT") return false;
    const cause = errno === "EEXIST" ? Object.assign(new Error("it is a file"), { code: "ENOTDIR" }) : error;
    throw ioError(cause, { operation: "create", file: path });
  }
  await syncDirectory(dirname(path));
  return true;
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}
