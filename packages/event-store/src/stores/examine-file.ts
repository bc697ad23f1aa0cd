import { randomUUID } from "node:crypto";
import { access, constants, open, stat, statfs, unlink, type FileHandle } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { BackendError } from "../core/errors.js";
import { check, type Check, type Finding } from "../log/examine-objects.js";
import { syncDirectory } from "../system/directories.js";
import { lockFile, lockMechanism } from "../system/file-lock.js";
import { errnoOf, ioError } from "../system/io-error.js";

/** Below this there is little left for a log to grow into, in bytes. */
const LEAST_SPACE = 64 * 1024 * 1024;

/**
 * Whether a file store at `path` can work, tried on a probe beside the log that is removed in the end. Ends early, with
 * false, when there is no usable directory. One that is missing is made by the first append: then its nearest parent is
 * tried instead.
 */
export async function* examineFile(path: string): AsyncGenerator<Check, boolean, undefined> {
  const wanted = dirname(resolve(path));
  let directory = wanted;
  const exists = await check("directory", async () => {
    directory = await nearestExisting(wanted);
    return await directoryOf(path, wanted, directory);
  });
  yield exists;
  if (!exists.ok) return false;
  const probe = join(directory, `.rynxs-probe-${randomUUID()}`);
  let handle: FileHandle | undefined;
  try {
    const written = await check("write", async () => {
      handle = await step("create a file in", directory, () => open(probe, "wx"));
      const file = handle;
      await step("write", probe, () => file.writeFile("probe\n"));
      return await logFile(path);
    });
    yield written;
    if (handle === undefined) return false;
    const file = handle;
    yield await check("sync to disk", async () => {
      await step("sync", probe, () => file.sync());
      await syncDirectory(directory);
      return "the file system syncs a file and its directory";
    });
    yield await check("lock", () => lockExcludes(probe));
    yield await check("free space", () => freeSpace(directory));
    return true;
  } finally {
    await handle?.close();
    if (handle !== undefined) await unlink(probe).catch(() => undefined);
  }
}

async function nearestExisting(directory: string): Promise<string> {
  try {
    await stat(directory);
    return directory;
  } catch (error) {
    const parent = dirname(directory);
    if (errnoOf(error) !== "ENOENT" || parent === directory)
      throw ioError(error, { file: directory, operation: "use" });
    return await nearestExisting(parent);
  }
}

async function directoryOf(path: string, wanted: string, existing: string): Promise<Finding> {
  const found = await step("use", existing, () => stat(existing));
  if (!found.isDirectory()) return { wrong: `${existing} is not a directory`, hint: "correct the path" };
  const log = await stat(path).catch(() => undefined);
  if (log !== undefined && !log.isFile())
    return { wrong: `${path} is not a regular file`, hint: "name a file, or correct the path" };
  return existing === wanted ? wanted : `${wanted} does not exist yet; the first append makes it in ${existing}`;
}

/** The probe was written; the log itself may have other permissions than its directory. */
async function logFile(path: string): Promise<Finding> {
  try {
    await access(path, constants.R_OK | constants.W_OK);
    return `${path} may be read and written, and files beside it created`;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return `files may be created; ${path} does not exist yet`;
    throw ioError(error, { file: path, operation: "read and write" });
  }
}

async function lockExcludes(probe: string): Promise<Finding> {
  const mechanism = await lockMechanism();
  const first = await open(probe, "r+");
  const second = await open(probe, "r+");
  try {
    if (!(await lockFile(first.fd, { mode: "exclusive", wait: false }))) {
      return { wrong: "a new file was locked already", hint: "use a file on a local file system" };
    }
    if (await lockFile(second.fd, { mode: "exclusive", wait: false })) {
      return {
        wrong: "two holders had the lock at once",
        hint: "use a file on a local file system, or on one whose server supports flock",
      };
    }
    await first.close();
    if (await lockFile(second.fd, { mode: "exclusive", wait: false }))
      return `excludes a second holder (by ${mechanism ?? "an unknown program"})`;
    return {
      wrong: "the lock outlived its holder",
      hint: "use a file on a local file system, or on one whose server supports flock",
    };
  } finally {
    await first.close().catch(() => undefined);
    await second.close();
  }
}

async function freeSpace(directory: string): Promise<Finding> {
  const { bavail, bsize } = await step("look at", directory, () => statfs(directory));
  const text = `${showBytes(bavail * bsize)} free`;
  return bavail * bsize >= LEAST_SPACE
    ? text
    : { wrong: `only ${text}`, hint: "free space, or move the log to a larger volume" };
}

function showBytes(bytes: number): string {
  return bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

async function step<T>(operation: string, file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof BackendError ? error : ioError(error, { file, operation });
  }
}
