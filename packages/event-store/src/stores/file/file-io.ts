import { open, rename, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { syncDirectory } from "../../system/directories.js";

/** The writes whose failure a test wants to play. */
export interface FileIo {
  /** Appends all of `bytes` at the end of the file. */
  append(file: FileHandle, bytes: Buffer): Promise<void>;
  /** Data and size are on the disk when it returns. */
  sync(file: FileHandle): Promise<void>;
  truncate(file: FileHandle, size: number): Promise<void>;
}

export const systemIo: FileIo = {
  append: async (file, bytes) => {
    for (let written = 0; written < bytes.length;) {
      written += (await file.write(bytes, written, bytes.length - written)).bytesWritten;
    }
  },
  sync: (file) => file.datasync(),
  truncate: (file, size) => file.truncate(size),
};

/** Replaces a small file as a whole, durably. */
export async function replaceFile(path: string, text: string, io: FileIo): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, "w", 0o640);
  try {
    await file.writeFile(text);
    await io.sync(file);
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}
