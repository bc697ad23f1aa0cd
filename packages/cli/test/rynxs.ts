import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";

const BIN = fileURLToPath(new URL("../bin/rynxs.js", import.meta.url));

/** Golden logs of the library's tests. */
export const VECTORS: string = fileURLToPath(new URL("../../event-store/test/vectors", import.meta.url));

export const ZEROS: string = "0".repeat(64);

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeArgs?: readonly string[];
}

/** A command that is running. */
export interface Running {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly ended: Promise<Outcome>;
  /** Resolves when it has said `text` on standard output; rejects when it ended without. */
  said(text: string): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

/** Starts the built command. Of this process's environment it gets only what a program needs. */
export function start(args: readonly string[], options: RunOptions = {}): Running {
  const env = { PATH: process.env["PATH"], HOME: "/nonexistent", NO_COLOR: "1", ...options.env };
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), BIN, ...args], { env });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  // the command may end before it has read everything
  child.stdin.on("error", () => undefined);
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      resolve({ code, stdout, stderr });
    });
  });
  const said = async (text: string): Promise<void> => {
    while (!stdout.includes(text)) {
      if (child.exitCode !== null) throw new Error(`it never said ${text}, but: ${stdout}${stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  return { stdin: child.stdin, stdout: child.stdout, ended, said, kill: (signal) => void child.kill(signal) };
}

export async function rynxs(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const running = start(args, options);
  running.stdin.end(options.input ?? "");
  return await running.ended;
}

/** Runs a command that must succeed and gives its JSON output. */
export async function json<T>(args: readonly string[], options: RunOptions = {}): Promise<T> {
  const { code, stdout, stderr } = await rynxs([...args, "--json"], options);
  if (code !== 0) throw new Error(`rynxs ${args.join(" ")} ended with ${String(code)}: ${stdout}${stderr}`);
  return JSON.parse(stdout) as T;
}

/** A folder of the test file's own, gone when its tests have run. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "rynxs-cli-"));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

let logs = 0;

/** `--store file:…` of a log that does not exist yet, and its path. */
export function newLog(folder: string): { path: string; store: string[] } {
  logs += 1;
  const path = join(folder, `log-${String(logs)}.jsonl`);
  return { path, store: ["--store", `file:${path}`] };
}

/** `count` NDJSON events. */
export function events(count: number): string {
  return Array.from(
    { length: count },
    (_, i) =>
      `{"type":"Type${String(i % 3)}","aggregate_id":"thing-${String(i % 5)}","ts":${String(i)},"payload":{"i":${String(i)}}}\n`,
  ).join("");
}
