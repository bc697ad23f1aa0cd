import { randomUUID } from "node:crypto";
import { open, stat, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { compareCodePoints } from "../core/json/strings.js";
import { BackendError, ConfigError } from "../core/errors.js";
import { lockFile } from "../system/file-lock.js";
import { ioError } from "../system/io-error.js";
import {
  abortedPut,
  checkGet,
  checkKey,
  checkList,
  checkPut,
  closedError,
  refuseRetention,
  throwIfAborted,
} from "./check.js";
import { makeDirectory, syncDirectory } from "../system/directories.js";
import * as disk from "./directory-files.js";
import { keyOfPath, pathOfKey, prefixOfFolder } from "./directory-names.js";
import { md5Etag } from "./object-map.js";
import type { GetOptions, ListOptions, ListPage, ObjectStore, PutOptions, PutOutcome, StoredObject } from "./port.js";

/** Holds temporary files, metadata and the lock. No key maps to a hidden name, so no key can get in its way. */
const INTERNAL = ".rynxs";

export interface DirectoryOptions {
  /** The directory; made by the first write. */
  readonly path: string;
}

export function directoryObjects(options: DirectoryOptions): DirectoryObjects {
  return new DirectoryObjects(options.path);
}

/**
 * Objects as plain files below a directory of a local file system, for any number of processes on one machine. A body
 * is the file's bytes, exactly; the key `a/b.json` is the file b.json in the folder a (directory-names.ts has the rest).
 * Creating is a hard link, which fails when the name is taken; replacing and deleting take turns under a flock.
 *
 * It has no fence: a process that stalls between making a file and linking it may do the latter at any later time.
 *
 * What S3 can and a directory cannot: hold `a` and `a/b` at once (INVALID_CONFIG). On a file system that does not tell
 * upper from lower case, keys other than lower-case ASCII are refused.
 */
export class DirectoryObjects implements ObjectStore {
  readonly identity: string;
  readonly #root: string;
  readonly #internal: string;
  #foldsCase: boolean | undefined;
  /** Replacing and deleting: one at a time in this process, then the lock among processes. */
  #queue: Promise<unknown> = Promise.resolve();
  readonly #synced = new Set<string>();
  #closed = false;

  constructor(path: string) {
    if (path === "" || path.includes("\0")) throw new ConfigError("the directory's path is empty or has a NUL in it");
    this.#root = resolve(path);
    this.#internal = join(this.#root, INTERNAL);
    this.identity = `directory:${this.#root}`;
  }

  async putIfAbsent(key: string, body: Uint8Array, options: PutOptions = {}): Promise<PutOutcome> {
    checkPut(key, options);
    refuseRetention(this.identity, key, options);
    const target = await this.#target(key);
    if (options.signal?.aborted === true) return abortedPut(options.signal);
    if (await this.#isFile(target, key)) return { outcome: "exists" };
    const bytes = Buffer.from(body);
    const fresh = await this.#write(key, target, bytes, options);
    let linked = false;
    try {
      linked = await disk.linkUnlessExists(fresh.temporary, target);
      // A folder that took the name meanwhile is not an object: the check throws.
      if (!linked) await this.#isFile(target, key);
      if (!linked) return { outcome: "exists" };
    } finally {
      if (!linked) await disk.removeFile(fresh.side);
      await disk.removeFile(fresh.temporary);
    }
    return this.#settled(target, bytes);
  }

  async replaceIfMatch(key: string, body: Uint8Array, etag: string, options: PutOptions = {}): Promise<PutOutcome> {
    checkPut(key, options);
    refuseRetention(this.identity, key, options);
    const bytes = Buffer.from(body);
    const target = await this.#target(key);
    if (options.signal?.aborted === true) return abortedPut(options.signal);
    try {
      return await this.#alone(options.signal, async () => {
        const old = await disk.openRegular(target);
        if (old === null) return { outcome: "exists" };
        try {
          if (md5Etag(await disk.step("read", target, () => old.readFile())) !== etag) return { outcome: "exists" };
          const fresh = await this.#write(key, target, bytes, options);
          try {
            await disk.renameOver(fresh.temporary, target);
          } catch (error) {
            await disk.removeFile(fresh.side);
            await disk.removeFile(fresh.temporary);
            throw error;
          }
          const outcome = await this.#settled(target, bytes);
          await disk.removeFile(this.#sideOf(await disk.inodeOf(old)));
          return outcome;
        } finally {
          await old.close();
        }
      });
    } catch (error) {
      if (!(error instanceof BackendError) || error.code !== "ABORTED") throw error;
      return { outcome: "unknown", sent: false, cause: error };
    }
  }

  async get(key: string, options: GetOptions = {}): Promise<StoredObject | null> {
    checkGet(key, options);
    throwIfAborted(options.signal, "GET");
    const target = await this.#target(key);
    for (;;) {
      const handle = await disk.openRegular(target);
      if (handle === null) return null;
      try {
        const body = await disk.step("read", target, () => handle.readFile());
        const inode = await disk.inodeOf(handle);
        const side = await disk.readSideFile(this.#sideOf(inode), key);
        throwIfAborted(options.signal, "GET");
        // Without a side file it is a file that somebody put there, or one that was replaced while it was read.
        if (side === null && (await this.#isReplaced(target, inode))) continue;
        const { start, end } = options.range ?? { start: 0, end: body.length };
        return {
          body: body.subarray(start, end),
          etag: md5Etag(body),
          metadata: side?.metadata ?? {},
          contentType: side?.contentType,
        };
      } finally {
        await handle.close();
      }
    }
  }

  async list(options: ListOptions): Promise<ListPage> {
    const limit = checkList(options);
    await this.#usable();
    const keys: string[] = [];
    await this.#collect("", options, keys);
    keys.sort(compareCodePoints);
    const page = keys.slice(0, limit);
    const files = await Promise.all(page.map((key) => disk.statOf(this.#root, pathOfKey(key))));
    throwIfAborted(options.signal, "LIST");
    const entries = page.flatMap((key, i) => {
      const file = files[i];
      return file === null || file === undefined ? [] : [{ key, ...file }];
    });
    const last = page.at(-1);
    const truncated = keys.length > limit;
    // All of them were deleted while they were listed: a page that promises more has at least one key.
    if (entries.length === 0 && truncated && last !== undefined) return this.list({ ...options, startAfter: last });
    return { entries, truncated };
  }

  async delete(key: string, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    checkKey(key);
    throwIfAborted(options.signal, "DELETE");
    const target = await this.#target(key);
    if ((await disk.statOf(this.#root, pathOfKey(key))) === null) return;
    await this.#alone(options.signal, async () => {
      const old = await disk.openRegular(target);
      if (old === null) return;
      try {
        await disk.step("delete", target, () => unlink(target));
        await syncDirectory(dirname(target));
        await disk.removeFile(this.#sideOf(await disk.inodeOf(old)));
      } finally {
        await old.close();
      }
    });
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  /** What stands against using the directory at all. */
  async #usable(): Promise<void> {
    if (this.#closed) throw closedError(this.identity);
    if (this.#foldsCase !== undefined) return;
    const root = await found(this.#root);
    if (root?.isDirectory() === false) {
      const cause = Object.assign(new Error("not a directory"), { code: "ENOTDIR" });
      throw ioError(cause, { operation: "open", file: this.#root });
    }
    if ((await found(this.#internal)) === null) return;
    this.#foldsCase = (await found(join(this.#root, INTERNAL.toUpperCase()))) !== null;
  }

  /** The file of a key: the first question of every call that has one. */
  async #target(key: string): Promise<string> {
    await this.#usable();
    if (this.#foldsCase === true && /[A-Z\u0080-\u{10ffff}]/u.test(key)) {
      throw new ConfigError(`this file system does not tell upper from lower case, so it cannot hold the key ${key}`, {
        facts: { key, file: this.#root },
        hint: "use keys of lower-case ASCII letters, or a directory on a case-sensitive volume",
      });
    }
    return join(this.#root, pathOfKey(key));
  }

  /** Whether the name is an object's. A folder of that name, or a file where a folder should be, is a mistake of the caller. */
  async #isFile(target: string, key: string): Promise<boolean> {
    for (let path = dirname(target); path.length > this.#root.length; path = dirname(path)) {
      if ((await found(path))?.isDirectory() === false) throw nested(key, path);
    }
    const there = await found(target);
    if (there?.isDirectory() === true) throw nested(key, target);
    return there !== null;
  }

  /** The body in a temporary file, its metadata beside it, both durable; and the folder for the target. */
  async #write(
    key: string,
    target: string,
    body: Buffer,
    options: PutOptions,
  ): Promise<{ temporary: string; side: string }> {
    await this.#makeFolder(join(this.#internal, "temporary"));
    await this.#makeFolder(join(this.#internal, "metadata"));
    await this.#makeFolder(dirname(target));
    const temporary = join(this.#internal, "temporary", randomUUID());
    const side = this.#sideOf(await disk.writeFileDurably(temporary, body, "wx"));
    const { metadata = {}, contentType = "application/json" } = options;
    try {
      await disk.writeFileDurably(side, JSON.stringify({ key, metadata, contentType } satisfies disk.SideFile), "w");
      await syncDirectory(dirname(side));
    } catch (error) {
      await disk.removeFile(side);
      await disk.removeFile(temporary);
      throw error;
    }
    return { temporary, side };
  }

  /** A folder may be the work of another client that did not sync it yet: so each is synced once, whoever made it. */
  async #makeFolder(path: string): Promise<void> {
    await makeDirectory(path);
    if (this.#synced.has(path)) return;
    for (let folder = path; folder.length > this.#root.length; folder = dirname(folder)) {
      await syncDirectory(dirname(folder));
    }
    this.#synced.add(path);
  }

  /** The object is in its place; until its folder is synced, nobody knows whether it stays there. */
  async #settled(target: string, body: Buffer): Promise<PutOutcome> {
    try {
      await syncDirectory(dirname(target));
      return { outcome: "stored", etag: md5Etag(body) };
    } catch (error) {
      return { outcome: "unknown", sent: true, cause: ioError(error, { operation: "fsync", file: dirname(target) }) };
    }
  }

  async #isReplaced(target: string, inode: string): Promise<boolean> {
    const handle = await disk.openRegular(target);
    if (handle === null) return true;
    try {
      return (await disk.inodeOf(handle)) !== inode;
    } finally {
      await handle.close();
    }
  }

  /** Adds the keys below a folder that the listing asks for; folders that can hold none of them are not opened. */
  async #collect(folder: string, options: ListOptions, keys: string[]): Promise<void> {
    const { prefix, startAfter = "", signal } = options;
    throwIfAborted(signal, "LIST");
    for (const entry of await disk.entriesOf(join(this.#root, folder))) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.folder) {
        const begin = prefixOfFolder(path);
        if (begin === null || !(begin.startsWith(prefix) || prefix.startsWith(begin))) continue;
        if (compareCodePoints(begin, startAfter) < 0 && !startAfter.startsWith(begin)) continue;
        await this.#collect(path, options, keys);
      } else {
        const key = keyOfPath(path);
        if (key?.startsWith(prefix) === true && compareCodePoints(key, startAfter) > 0) keys.push(key);
      }
    }
  }

  /** Runs an action that no other replacing or deleting, in this process or another, runs beside. */
  #alone<T>(signal: AbortSignal | undefined, action: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(async () => {
      await this.#makeFolder(this.#internal);
      const file = join(this.#internal, "lock");
      const handle = await disk.step("lock", file, () => open(file, "a"));
      try {
        await lockFile(handle.fd, { mode: "exclusive", wait: true, signal });
        return await action();
      } finally {
        await handle.close();
      }
    });
    this.#queue = result.catch(() => undefined);
    return result;
  }

  #sideOf(inode: string): string {
    return join(this.#internal, "metadata", `${inode}.json`);
  }
}

async function found(path: string): Promise<{ isDirectory(): boolean } | null> {
  try {
    return await stat(path);
  } catch (error) {
    const wrapped = ioError(error, { operation: "open", file: path });
    if (wrapped.facts.backendCode === "ENOENT" || wrapped.facts.backendCode === "ENOTDIR") return null;
    throw wrapped;
  }
}

function nested(key: string, path: string): ConfigError {
  return new ConfigError(
    `a directory cannot hold the key ${key}: ${path} would have to be a file and a folder at once`,
    {
      facts: { key, file: path },
      hint: "choose a prefix that is not itself an object's key, or that no other key begins with",
    },
  );
}
