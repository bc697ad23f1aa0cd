import { constants } from "node:fs";
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { BackendError } from "../../core/errors.js";
import { makeDirectory, syncDirectory } from "../../system/directories.js";
import { errnoOf, ioError } from "../../system/io-error.js";

const OWNER_ONLY = 0o600;

/** A file that nobody but its owner may read or write. Null when there is none. @throws BackendError PATH_UNUSABLE when others may */
export async function readPrivateFile(path: string, maxBytes: number): Promise<string | null> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw ioError(error, { file: path, operation: "open" });
  }
  try {
    const { mode, size } = await file.stat();
    if ((mode & 0o077) !== 0)
      throw new BackendError(
        "PATH_UNUSABLE",
        `${path} can be used by others than its owner: its mode is ${(mode & 0o777).toString(8)}`,
        {
          facts: { file: path, operation: "open", expected: "0600", actual: `0${(mode & 0o777).toString(8)}` },
          hint: `chmod 600 ${path}; if it is a key, consider whether others have read it`,
        },
      );
    if (size > maxBytes)
      throw new BackendError("PATH_UNUSABLE", `${path} is too large to be one of these files`, {
        facts: { file: path, operation: "read", expected: maxBytes, actual: size },
      });
    return await file.readFile("utf8");
  } catch (error) {
    throw ioError(error, { file: path, operation: "read" });
  } finally {
    await file.close();
  }
}

/** Creates it, durably. @throws BackendError PATH_UNUSABLE when something is there already */
export async function createPrivateFile(path: string, text: string): Promise<void> {
  try {
    await makeDirectory(dirname(path));
    await write(path, text);
    await syncDirectory(dirname(path));
  } catch (error) {
    if (errnoOf(error) === "EEXIST")
      throw new BackendError("PATH_UNUSABLE", `${path} exists: it is left as it is`, {
        facts: { file: path, operation: "create", backendCode: "EEXIST" },
        hint: "choose another path, or remove the file if you are sure that nobody needs it",
      });
    throw ioError(error, { file: path, operation: "create" });
  }
}

/** Replaces it as a whole, durably: a reader sees the old one or the new one. */
export async function replacePrivateFile(path: string, text: string, id: string): Promise<void> {
  const temporary = `${path}.${id}.new`;
  try {
    await makeDirectory(dirname(path));
    await write(temporary, text);
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw ioError(error, { file: path, operation: "write" });
  }
}

async function write(path: string, text: string): Promise<void> {
  const file = await open(path, "wx", OWNER_ONLY);
  try {
    // Whatever the umask took away.
    await file.chmod(OWNER_ONLY);
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}
