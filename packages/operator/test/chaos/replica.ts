import { spawn, type ChildProcess } from "node:child_process";
import { createWriteStream, writeFileSync, type WriteStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

import type { FakeCluster } from "@rynxs/operator/testing";

/** How one process of a replica ended. */
export interface Ending {
  readonly process: string;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What we did to it. */
  readonly by: "SIGTERM" | "SIGKILL" | "nobody";
  /** It had begun: before that, Node itself ends at a signal. */
  readonly begun: boolean;
}

export interface ReplicaOptions {
  readonly name: string;
  /** Path of rynxs-operator.js, of the build. */
  readonly binary: string;
  readonly cluster: FakeCluster;
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
}

/** One replica as a Deployment keeps it: one process after the other, with a token and a log of its own. */
export class Replica {
  readonly name: string;
  readonly endings: Ending[] = [];
  /** Lines on stderr, and lines of the log that tell of what must never happen. */
  readonly oddities: string[] = [];
  /** The most that a process had, bytes. */
  peakRss = 0;
  paused = false;
  /** Something has plans with it: nothing else is to happen to its process. */
  spared = false;
  readonly #options: ReplicaOptions;
  readonly #log: WriteStream;
  #token = "";
  #tokens = 0;
  #starts = 0;
  #child: ChildProcess | null = null;
  #ended: Promise<void> = Promise.resolve();
  #by: Ending["by"] = "nobody";
  #begun = false;
  #port: number | null = null;

  constructor(options: ReplicaOptions) {
    this.#options = options;
    this.name = options.name;
    this.#log = createWriteStream(this.logFile, { flags: "a" });
    this.rotateToken();
    this.#writeKubeconfig();
  }

  get logFile(): string {
    return join(this.#options.folder, `${this.name}.log`);
  }

  /** The user that the API server knows it by, whatever its token. */
  get user(): string {
    return `system:serviceaccount:rynxs:${this.name}`;
  }

  get runs(): boolean {
    return this.#child !== null;
  }

  start(): void {
    if (this.#child) return;
    this.#starts++;
    const process_ = `${this.name}.${String(this.#starts)}`;
    const env = {
      ...this.#options.env,
      PATH: process.env["PATH"],
      KUBECONFIG: join(this.#options.folder, `${this.name}.kubeconfig`),
      POD_NAME: this.name,
      RYNXS_WRITER_ID: process_,
      METRICS_PORT: "0",
    };
    const child = spawn(process.execPath, [this.#options.binary], { env, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    this.#by = "nobody";
    this.#begun = false;
    this.paused = false;
    this.#log.write(`# ${process_} starts\n`);
    createInterface({ input: child.stdout }).on("line", (line) => this.#read(line));
    createInterface({ input: child.stderr }).on("line", (line) => {
      this.oddities.push(`${process_}: ${line}`);
      this.#log.write(`! ${line}\n`);
    });
    // None may outlive us, least of all a paused one.
    const kill = (): void => void child.kill("SIGKILL");
    process.once("exit", kill);
    this.#ended = new Promise((resolve) => {
      child.on("close", (code, signal) => {
        process.off("exit", kill);
        this.endings.push({ process: process_, code, signal, by: this.#by, begun: this.#begun });
        this.#log.write(`# ${process_} ended: ${String(code ?? signal)}, by ${this.#by}\n`);
        this.#child = null;
        this.#port = null;
        resolve();
      });
    });
  }

  pause(): void {
    this.#child?.kill("SIGSTOP");
    this.paused = true;
  }

  resume(): void {
    this.#child?.kill("SIGCONT");
    this.paused = false;
  }

  async kill(): Promise<void> {
    this.#by = "SIGKILL";
    this.#child?.kill("SIGKILL");
    await this.#ended;
  }

  /** Asks it to end. False when it had to be killed after `patienceMs`. */
  async terminate(patienceMs: number): Promise<boolean> {
    if (!this.#child) return true;
    this.resume();
    this.#by = "SIGTERM";
    this.#child.kill("SIGTERM");
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), patienceMs);
    });
    const inTime = await Promise.race([this.#ended.then(() => true), late]);
    clearTimeout(timer);
    if (!inTime) {
      this.oddities.push(
        `${this.name}.${String(this.#starts)}: did not end within ${String(patienceMs)} ms of SIGTERM`,
      );
      this.#child.kill("SIGKILL");
      await this.#ended;
    }
    return inTime;
  }

  /** A new token in its file; the one before is taken for as long as `revokeOld` is not called. */
  rotateToken(): () => void {
    const { cluster, folder } = this.#options;
    const old = this.#token;
    this.#token = `${this.name}-token-${String(++this.#tokens)}`;
    cluster.tokens.add(this.#token, this.user);
    writeFileSync(join(folder, `${this.name}.token`), this.#token);
    return () => cluster.tokens.revoke(old);
  }

  /** Looks at its memory. Says nothing when it cannot answer now. */
  async measure(): Promise<void> {
    if (this.#port === null || this.paused) return;
    try {
      const answer = await fetch(`http://127.0.0.1:${String(this.#port)}/metrics`, {
        signal: AbortSignal.timeout(1_000),
      });
      const rss = Number(/^process_resident_memory_bytes (\S+)$/m.exec(await answer.text())?.[1] ?? 0);
      this.peakRss = Math.max(this.peakRss, rss);
    } catch {
      // paused, ending or busy
    }
  }

  async close(): Promise<void> {
    await this.kill();
    await new Promise<void>((resolve) => this.#log.end(resolve));
  }

  #read(line: string): void {
    this.#log.write(`${line}\n`);
    this.#begun = true;
    let said: { message?: string; port?: number };
    try {
      said = JSON.parse(line) as typeof said;
    } catch {
      this.oddities.push(`${this.name}: not JSON: ${line}`);
      return;
    }
    if (said.message === "started") this.#port = said.port ?? null;
    if (said.message === "cannot be recorded" || said.message === "cannot go on")
      this.oddities.push(`${this.name}: ${line}`);
  }

  #writeKubeconfig(): void {
    const { cluster, folder } = this.#options;
    const text = cluster.kubeconfig.replace(
      /token: .*/,
      `tokenFile: ${JSON.stringify(join(folder, `${this.name}.token`))}`,
    );
    writeFileSync(join(folder, `${this.name}.kubeconfig`), text);
  }
}
