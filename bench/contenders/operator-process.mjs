// An operator as it is started anywhere else: a process of its own, that is known by its log, its endpoints and its memory.

import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

const binary = join(import.meta.dirname, "..", "..", "packages", "operator", "bin", "rynxs-operator.js");
/** However the benchmark ends, no operator outlives it. */
const ORPHANS_END = `data:text/javascript,process.on("disconnect", () => process.kill(process.pid, "SIGKILL")); process.channel.unref()`;
const PATIENCE_MS = 120_000;
const POLL_MS = 10;
/** Milliseconds of the clock that all processes of a machine share. */
export const now = () => Number(process.hrtime.bigint()) / 1e6;

export class OperatorProcess {
  /** When it was started, when it ended. */
  startedAt = now();
  endedAt = null;
  #child;
  #ended;
  #said = new Map();
  #problems = [];

  constructor(env) {
    const stdio = ["ignore", "pipe", "pipe", "ipc"];
    this.#child = fork(binary, [], { env, stdio, execArgv: ["--import", ORPHANS_END] });
    this.#ended = once(this.#child, "exit").then(([code]) => {
      this.endedAt = now();
      return code;
    });
    createInterface({ input: this.#child.stdout }).on("line", (line) => this.#read(line));
    this.#child.stderr.on("data", (chunk) => this.#problems.push(String(chunk)));
  }

  /** When it said a thing first, and what came with it. */
  async said(message) {
    await eventually(
      `an operator that says ${JSON.stringify(message)}`,
      () => this.#alive() && this.#said.has(message),
    );
    return this.#said.get(message);
  }

  hasSaid(message) {
    return this.#said.has(message);
  }

  /** When /ready answered 200 first. */
  async ready() {
    const { port } = await this.said("started");
    await eventually("an operator that is ready", async () => this.#alive() && (await get(port, "ready")).ok);
    return now();
  }

  /** Resident memory as /metrics has it, in megabytes. */
  async rssMb() {
    const { port } = await this.said("started");
    const text = await (await get(port, "metrics")).text();
    return Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)[1]) / 1e6;
  }

  /** The most that the kernel has seen, in megabytes; undefined where it does not say. */
  peakMb() {
    try {
      const status = readFileSync(`/proc/${this.#child.pid}/status`, "utf8");
      return (Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)[1]) * 1024) / 1e6;
    } catch {
      return undefined;
    }
  }

  /** @returns {number} when the signal was sent */
  signal(signal) {
    const at = now();
    this.#child.kill(signal);
    return at;
  }

  /** @returns {Promise<number | null>} its exit code */
  ended() {
    return this.#ended;
  }

  async kill() {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  #alive() {
    if (this.endedAt === null) return true;
    throw new Error(`an operator ended by itself: ${this.#problems.join("")}`);
  }

  #read(line) {
    const { message, ...facts } = JSON.parse(line);
    if (facts.level !== "info") this.#problems.push(`${line}\n`);
    if (!this.#said.has(message)) this.#said.set(message, { ...facts, at: now() });
  }
}

const get = (port, path) => fetch(`http://127.0.0.1:${port}/${path}`);

/** Until it holds. @param {() => unknown} holds may be a promise */
export async function eventually(what, holds) {
  const end = now() + PATIENCE_MS;
  while (!(await holds())) {
    if (now() > end) throw new Error(`there was no ${what}`);
    await pause(POLL_MS);
  }
}
