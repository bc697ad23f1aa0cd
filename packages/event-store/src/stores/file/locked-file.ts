import { stat, type FileHandle } from "node:fs/promises";
import { lockFile } from "../../system/file-lock.js";

/** A file that is locked exclusively until it is closed. */
export interface LockedFile {
  readonly handle: FileHandle;
  readonly inode: number;
}

/**
 * Opens a file by `openFile`, as often as it takes to hold the lock of the one that `path` names: it may be renamed or removed while we
 * wait. Null when the lock could not be had in time.
 * @throws BackendError; ABORTED
 */
export async function openLocked(
  path: string,
  openFile: () => Promise<FileHandle>,
  wait: { readonly timeoutMs?: number | undefined; readonly signal?: AbortSignal | undefined },
): Promise<LockedFile | null> {
  for (;;) {
    const handle = await openFile();
    try {
      if (!(await lockFile(handle.fd, { mode: "exclusive", wait: true, ...wait }))) {
        await handle.close();
        return null;
      }
      const { ino, dev } = await handle.stat();
      const named = await stat(path).catch(() => null);
      if (named?.ino === ino && named.dev === dev) return { handle, inode: ino };
    } catch (error) {
      await handle.close();
      throw error;
    }
    await handle.close();
  }
}
