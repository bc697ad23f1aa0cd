import { constants } from "node:fs";
import { link, open, readdir, readFile, rename, stat, unlink, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { BackendError } from "../core/errors.js";
import { errnoOf, ioError } from "../system/io-error.js";

/*
 * What a directory of objects does to its disk. An object's body is a plain file; its metadata lies in a side file named
 * after the file's inode number, which is the writer's alone as long as the file, or a descriptor of it, is there: so a
 * loser of a race can never touch the winner's. The side file is written before the object appears and removed, with
 * the object still held open, after it has gone.
 */

/** Metadata of the object whose file has this inode number. `key` tells a leftover from what belongs to the object. */
export interface SideFile {
  readonly key: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly contentType: string;
}

/** Runs one step on a file; what the operating system says against it comes as a BackendError. */
export async function step<T>(operation: string, file: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw ioError(error, { operation, file });
  }
}

/** Writes a file and syncs it; returns its inode number. A half-written one is removed. */
export async function writeFileDurably(path: string, body: Uint8Array | string, flags: "w" | "wx"): Promise<string> {
  const handle = await step("write", path, () => open(path, flags));
  try {
    await step("write", path, () => handle.writeFile(body));
    await step("fsync", path, () => handle.sync());
    return await inodeOf(handle);
  } catch (error) {
    await removeFile(path);
    throw error;
  } finally {
    await handle.close();
  }
}

/** Removes a file of ours; one that is not there, or stays, does no harm. */
export async function removeFile(path: string): Promise<void> {
  await unlink(path).catch(() => undefined);
}

/** Opens a regular file; null when there is none. Never follows a link and never waits for a pipe. */
export async function openRegular(path: string): Promise<FileHandle | null> {
  return step("read", path, async () => {
    let handle: FileHandle;
    try {
      handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (error) {
      if (["ENOENT", "ENOTDIR", "ELOOP", "ENXIO"].includes(errnoOf(error) ?? "")) return null;
      throw error;
    }
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
    return null;
  });
}

export async function inodeOf(file: FileHandle | string): Promise<string> {
  const stats = typeof file === "string" ? await stat(file, { bigint: true }) : await file.stat({ bigint: true });
  return stats.ino.toString();
}

/** Gives a finished temporary file its name unless that is taken. Durable only after `syncFolder`. */
export async function linkUnlessExists(temporary: string, target: string): Promise<boolean> {
  try {
    await link(temporary, target);
    return true;
  } catch (error) {
    const errno = errnoOf(error) ?? "";
    if (errno === "EEXIST") return false;
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(errno))
      throw ioError(error, { operation: "link", file: target });
    throw new BackendError("PATH_UNUSABLE", `cannot link ${target}: the file system has no hard links (${errno})`, {
      facts: { operation: "link", file: target, backendCode: errno },
      hint: "use a directory on a local file system such as ext4, xfs or APFS",
      cause: error,
    });
  }
}

export async function renameOver(temporary: string, target: string): Promise<void> {
  await step("rename", target, () => rename(temporary, target));
}

export async function readSideFile(path: string, key: string): Promise<SideFile | null> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw ioError(error, { operation: "read", file: path });
  }
  try {
    const side = JSON.parse(text) as SideFile;
    return side.key === key ? side : null;
  } catch {
    return null;
  }
}

/** Regular files and folders of a folder, by name; nothing when it is gone. Hidden ones are left out. */
export async function entriesOf(path: string): Promise<{ readonly name: string; readonly folder: boolean }[]> {
  return step("list", path, async () => {
    try {
      const entries = await readdir(path, { withFileTypes: true });
      return entries
        .filter((entry) => !entry.name.startsWith(".") && (entry.isFile() || entry.isDirectory()))
        .map((entry) => ({ name: entry.name, folder: entry.isDirectory() }));
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return [];
      throw error;
    }
  });
}

/** Bytes of a regular file, and when they were written (Unix milliseconds); null when there is none (any more). */
export async function statOf(
  folder: string,
  path: string,
): Promise<{ readonly size: number; readonly modifiedAt: number } | null> {
  const file = join(folder, path);
  return step("list", file, async () => {
    try {
      const stats = await stat(file);
      return stats.isFile() ? { size: stats.size, modifiedAt: Math.trunc(stats.mtimeMs) } : null;
    } catch (error) {
      if (["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "")) return null;
      throw error;
    }
  });
}
