import { hash } from "node:crypto";
import { open } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { BackendError } from "../../core/errors.js";
import { makeDirectory } from "../../system/directories.js";
import { lockFile } from "../../system/file-lock.js";
import { ioError } from "../../system/io-error.js";
import { systemRuntime, type Runtime } from "../../system/runtime.js";
import { createPrivateFile, readPrivateFile, replacePrivateFile } from "../note/private-file.js";

/** What a signer or a verifier remembers of a log: a text that outlives the process, where whoever holds the log cannot change it. */
export interface Memory {
  /** For people. */
  readonly place: string;
  /** Null when nothing was remembered yet. */
  read(): Promise<string | null>;
  /** Durable, and all or nothing. */
  write(text: string): Promise<void>;
  /** While `work` is under way, no other process does the same. */
  exclusively<T>(work: () => Promise<T>): Promise<T>;
  /** Keeps a text beside it, for people to look at. @returns where */
  keepEvidence(name: string, text: string): Promise<string>;
}

/** A verifier's state has one checkpoint, at most 1 MiB. */
const MAX_BYTES = 4 * 1024 * 1024;
const LOCK_MS = 60_000;

/** In a file of mode 0600. */
export function fileMemory(path: string, runtime: Runtime = systemRuntime): Memory {
  return {
    place: path,
    read: () => readPrivateFile(path, MAX_BYTES),
    write: (text) => replacePrivateFile(path, text, runtime.id()),
    exclusively: (work) => whileLocked(`${path}.lock`, work),
    keepEvidence: async (name, text) => {
      const file = `${path}.evidence-${name}`;
      const known = await readPrivateFile(file, MAX_BYTES);
      if (known === text) return file;
      const free = known === null ? file : `${file}-${runtime.id().slice(0, 8)}`;
      await createPrivateFile(free, text);
      return free;
    },
  };
}

/** In this process only: for tests, and for callers who keep it elsewhere. */
export function processMemory(
  text: string | null = null,
): Memory & { text: string | null; readonly evidence: Map<string, string> } {
  let last: Promise<unknown> = Promise.resolve();
  const evidence = new Map<string, string>();
  const memory = {
    place: "memory",
    text,
    evidence,
    read: () => Promise.resolve(memory.text),
    write: (written: string) => {
      memory.text = written;
      return Promise.resolve();
    },
    exclusively: <T>(work: () => Promise<T>): Promise<T> => {
      const done = last.then(work);
      last = done.catch(() => undefined);
      return done;
    },
    keepEvidence: (name: string, kept: string) => {
      evidence.set(name, kept);
      return Promise.resolve(`memory:${name}`);
    },
  };
  return memory;
}

/** Where this user's programs keep what they must remember. */
export function stateDirectory(env: Readonly<Record<string, string | undefined>>): string {
  const base = env["XDG_STATE_HOME"];
  return join(base?.startsWith("/") === true ? base : join(homedir(), ".local", "state"), "rynxs");
}

/** A file's name for a log's: readable, and of no two logs the same. */
export function stateFileName(origin: string, kind: "verifier" | `signer-${string}`): string {
  const digest = hash("sha256", origin).slice(0, 12);
  const readable = origin
    .replaceAll(/[^A-Za-z0-9._-]+/g, "_")
    .replace(/^\.+/, "")
    .slice(0, 120);
  return `${readable}-${digest}.${kind}.json`;
}

async function whileLocked<T>(path: string, work: () => Promise<T>): Promise<T> {
  await makeDirectory(dirname(path));
  const file = await open(path, "a", 0o600).catch((error: unknown) => {
    throw ioError(error, { file: path, operation: "open" });
  });
  try {
    if (await lockFile(file.fd, { mode: "exclusive", wait: true, timeoutMs: LOCK_MS })) return await work();
    throw new BackendError("PATH_UNUSABLE", `another process has held ${path} for ${String(LOCK_MS / 1000)} s`, {
      facts: { file: path, operation: "lock" },
      hint: "is a signer hanging there? Try again when it has ended",
    });
  } finally {
    await file.close();
  }
}
