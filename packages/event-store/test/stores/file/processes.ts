import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const WRITER = fileURLToPath(new URL("./writer.mjs", import.meta.url));

/** What `writer.mjs` is told: see there. */
export interface WriterOptions {
  readonly path: string;
  readonly name: string;
  readonly count: number;
  readonly maxBytes?: number;
  readonly mixed?: boolean;
  readonly size?: number;
  readonly dieAfterBytes?: number;
  readonly dieInSync?: boolean;
}

export interface Acknowledged {
  readonly seq: number;
  readonly hash: string;
  readonly n: number;
}

/** A process of which every line on standard output is an acknowledged append. */
export class WriterProcess {
  readonly name: string;
  readonly ended: Promise<NodeJS.Signals | number | null>;
  readonly #child: ChildProcess;
  #said = "";
  #errors = "";

  constructor(name: string, command: string, args: readonly string[]) {
    this.name = name;
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    child.stdout.setEncoding("utf8").on("data", (text: string) => (this.#said += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.#errors += text));
    this.ended = new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) => resolve(signal ?? code));
    });
  }

  /** A line that was cut off by death was acknowledged all the same, but says too little. */
  get acknowledged(): Acknowledged[] {
    return this.#said
      .split("\n")
      .slice(0, -1)
      .map((line) => line.split(" "))
      .map(([seq, hash, n]) => ({ seq: Number(seq), hash: String(hash), n: Number(n) }));
  }

  get errors(): string {
    return this.#errors;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Resolves at its first acknowledged append, or at its end. */
  async begun(): Promise<void> {
    const said = new Promise((resolve) => this.#child.stdout?.once("data", resolve));
    await Promise.race([said, this.ended]);
  }

  /** @throws when it did not end well */
  async succeeded(): Promise<void> {
    const end = await this.ended;
    if (end !== 0) throw new Error(`writer ${this.name} ended with ${String(end)}: ${this.#errors}`);
  }
}

/** Starts the built library in a process of its own. */
export function startWriter(options: WriterOptions): WriterProcess {
  return new WriterProcess(options.name, process.execPath, [WRITER, JSON.stringify(options)]);
}

/** What the Python system does: lock, look at the last line, append, sync, unlock. Its lines are the same bytes. */
const PYTHON = `
import fcntl, hashlib, json, os, sys
path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
for n in range(count):
    with open(path, "ab+") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        log.seek(0)
        lines = [line for line in log.read().split(b"\\n") if line.strip()]
        last = json.loads(lines[-1]) if lines else {"event": {"seq": -1}, "event_hash": "0" * 64}
        event = {"aggregate_id": name, "meta": {}, "payload": {"n": n}, "seq": last["event"]["seq"] + 1, "ts": n, "type": "T"}
        text = lambda value: json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        digest = hashlib.sha256(last["event_hash"].encode() + text(event)).hexdigest()
        log.write(text({"event": event, "event_hash": digest, "prev_hash": last["event_hash"]}) + b"\\n")
        log.flush()
        os.fsync(log.fileno())
    print(event["seq"], digest, n, flush=True)
`;

export function startPythonWriter(path: string, name: string, count: number): WriterProcess {
  return new WriterProcess(name, "python3", ["-c", PYTHON, path, name, String(count)]);
}
