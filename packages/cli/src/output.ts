import type { WriteStream } from "node:tty";
import type { Failure } from "./exit.js";
import { CliError, failureJson, failureText } from "./exit.js";
import { oneLine } from "./text.js";

/** Bytes gathered before they are written while lines come faster than the event loop turns. */
const BUFFER_BYTES = 64 * 1024;

/**
 * Where a command's words go. Results go to standard output, as text or, with `--json`, as JSON; all else to standard
 * error. A reader that went away (`rynxs read | head -1`) is no failure: `closed` turns true and writes do nothing.
 */
export class Output {
  readonly json: boolean;
  #pending: (string | Uint8Array)[] = [];
  #pendingBytes = 0;
  #scheduled = false;
  #closed = false;
  #failure: Error | undefined;

  constructor(json: boolean) {
    this.json = json;
    process.stdout.on("error", (error: NodeJS.ErrnoException) => {
      this.#closed = true;
      if (error.code !== "EPIPE") this.#failure ??= error;
    });
    // nobody is left to be told
    process.stderr.on("error", () => undefined);
  }

  /** Nobody reads standard output any more, or it cannot be written. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Columns of the terminal; undefined when standard output is none, and nothing should be cut. */
  get columns(): number | undefined {
    return process.stdout.isTTY ? (process.stdout as WriteStream).columns : undefined;
  }

  /** One line of the result. Appears at once when the command pauses, else with its neighbours. */
  async line(content: string | Uint8Array): Promise<void> {
    this.#pending.push(content, "\n");
    this.#pendingBytes += content.length + 1;
    if (this.#pendingBytes >= BUFFER_BYTES) await this.flush();
    else if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => {
        this.#scheduled = false;
        // a failure is kept, for flush() to throw
        void this.#write();
      });
    }
  }

  async data(value: unknown): Promise<void> {
    await this.line(JSON.stringify(value));
  }

  /** `text` without `--json`, `value` with it. */
  async result(text: string, value: unknown): Promise<void> {
    await (this.json ? this.data(value) : this.line(text));
  }

  /** @throws CliError once, when standard output cannot be written (a full disk) */
  async flush(): Promise<void> {
    await this.#write();
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw new CliError("IO_FAILED", `standard output cannot be written: ${failure.message}`);
  }

  async #write(): Promise<void> {
    const chunk = Buffer.concat(this.#pending.map((part) => (typeof part === "string" ? Buffer.from(part) : part)));
    this.#pending = [];
    this.#pendingBytes = 0;
    if (chunk.length === 0 || this.#closed) return;
    await new Promise<void>((resolve) => {
      process.stdout.write(chunk, () => {
        resolve();
      });
    });
    // the stream tells its error listeners only after the write's callback
    await new Promise((resolve) => process.nextTick(resolve));
  }

  /** Something worth knowing that is not the result. */
  note(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  readonly warn = (warning: { readonly code: string; readonly message: string }): void => {
    this.note(`warning ${warning.code}: ${oneLine(warning.message)}`);
  };

  /** With `--json` on standard output, where the result would be; and for eyes too when these would otherwise see nothing. */
  async failure(failure: Failure): Promise<void> {
    if (this.json) await this.data(failureJson(failure));
    const unseen = this.#closed || (process.stderr.isTTY && !process.stdout.isTTY);
    if (!this.json || unseen) this.note(failureText(failure));
  }
}

/** The words of a check or headline in colour, on a terminal that wants it. */
export function paint(style: "bold" | "dim" | "red" | "green", text: string): string {
  if (!process.stdout.isTTY || process.env["NO_COLOR"] || process.env["TERM"] === "dumb") return text;
  const code = { bold: "1", dim: "2", red: "31", green: "32" }[style];
  return `\u001b[${code}m${text}\u001b[0m`;
}
