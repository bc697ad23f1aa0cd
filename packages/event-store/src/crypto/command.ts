import { spawn, type ChildProcess } from "node:child_process";
import { BackendError, type FailureCode } from "../core/errors.js";
import { errnoOf } from "../system/io-error.js";

export interface CommandOptions {
  /** A program, found as a shell would find it; it gets no shell. */
  readonly program: string;
  readonly args?: readonly string[] | undefined;
  /** Default: this process's, without RYNXS_CRYPTO_*. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** It is killed after so many milliseconds; default 10,000. */
  readonly timeoutMs?: number | undefined;
}

/** Exit status of a program that may succeed when it is tried again: EX_TEMPFAIL of sysexits.h. */
const TEMPORARY_FAILURE = 75;
const MAX_ANSWER_BYTES = 1024 * 1024;
const MAX_COMPLAINT = 500;

/**
 * Runs the program once: one JSON object on its standard input, one on its standard output. What goes in and what comes out is never in an
 * error; of what it says on standard error, whatever may be a key is struck out.
 * @throws BackendError PATH_UNUSABLE when it cannot be started, UNAVAILABLE on a time-out or exit status 75, REQUEST_REFUSED on every other
 *   one and when its answer is no JSON object
 */
export async function runCommand(options: CommandOptions, request: object): Promise<Readonly<Record<string, unknown>>> {
  const { program, timeoutMs = 10_000 } = options;
  const child = spawn(program, options.args ?? [], {
    stdio: ["pipe", "pipe", "pipe"],
    env: options.env ?? withoutSecrets(process.env),
    // A group of its own, so that what it has started dies with it.
    detached: true,
  });
  const { code, signal, stdout, stderr } = await ended(child, program, timeoutMs, JSON.stringify(request));
  if (code === 0) return answerOf(program, stdout);
  const said = strike(stderr);
  const how = code === null ? `was ended by ${String(signal)}` : `ended with status ${String(code)}`;
  throw failure(
    code === TEMPORARY_FAILURE ? "UNAVAILABLE" : "REQUEST_REFUSED",
    program,
    said === "" ? how : `${how}: ${said}`,
    {
      hint: "run it by hand, with a request as docs/operations/shredding.md has it",
    },
  );
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

function ended(child: ChildProcess, program: string, timeoutMs: number, input: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let stderr = "";
    const giveUp = (code: FailureCode, problem: string, hint: string, cause?: unknown): void => {
      clearTimeout(timer);
      killGroup(child);
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy();
      reject(failure(code, program, problem, { hint, cause }));
    };
    const timer = setTimeout(() => {
      giveUp("UNAVAILABLE", `gave no answer within ${String(timeoutMs)} ms, and was killed`, "look what it waits for");
    }, timeoutMs);
    child.on("error", (error) => {
      const errno = errnoOf(error) ?? error.name;
      giveUp("PATH_UNUSABLE", `cannot be started (${errno})`, "name a program that this user may run", error);
    });
    // It may answer without having read its input.
    child.stdin?.on("error", () => undefined);
    child.stdout?.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > MAX_ANSWER_BYTES)
        giveUp("REQUEST_REFUSED", "answered more than 1 MiB", "it is to answer one JSON object");
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      if (stderr.length < 64 * MAX_COMPLAINT) stderr += text;
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, stdout: Buffer.concat(chunks), stderr });
    });
    child.stdin?.end(input);
  });
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // it has ended
  }
}

function answerOf(program: string, stdout: Buffer): Readonly<Record<string, unknown>> {
  try {
    const answer: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(stdout));
    if (typeof answer === "object" && answer !== null && !Array.isArray(answer))
      return answer as Readonly<Record<string, unknown>>;
  } catch {
    // the parser's error would quote the answer
  }
  throw failure("REQUEST_REFUSED", program, "did not answer with one JSON object");
}

/** The answer lacks what it was asked for. The answer itself may be a key: it is not shown. */
export function badAnswer(program: string, wanted: string): BackendError {
  return failure("REQUEST_REFUSED", program, `answered without ${wanted}`);
}

function failure(
  code: FailureCode,
  program: string,
  problem: string,
  details: { readonly hint?: string; readonly cause?: unknown } = {},
): BackendError {
  const { hint = "it is to answer as docs/operations/shredding.md says", cause } = details;
  return new BackendError(code, `the program ${program} ${problem}`, {
    facts: { operation: "run", file: program },
    hint,
    cause,
  });
}

/** 32 bytes in hex or base64 are at least so long. */
const LIKE_A_KEY = /[A-Za-z0-9+/_=-]{40,}/g;

function strike(text: string): string {
  return text.replace(LIKE_A_KEY, "[…]").trim().replace(/\s+/g, " ").slice(0, MAX_COMPLAINT);
}

function withoutSecrets(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("RYNXS_CRYPTO_")));
}
