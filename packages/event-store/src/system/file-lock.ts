import { spawn } from "node:child_process";
import { closeSync, fstatSync, openSync } from "node:fs";
import { BackendError } from "../core/errors.js";
import { ioError } from "./io-error.js";

/*
 * flock(2) without a native addon. A lock taken with flock(2) belongs to the open file description, not to the process:
 * a short-lived child that inherits our descriptor takes the lock on it and exits, and the lock stays with us until every
 * copy of the descriptor is closed, at the latest when this process dies. Node opens files close-on-exec, so no other
 * child ever holds a copy. It excludes every other holder of a flock on the file, of whatever program, on this machine
 * (over NFS: what the server and mount options make of it), and nothing else: a lock is advice.
 */

/** The programs that can take a flock for us, in the order in which they are tried. */
export type LockMechanism = "flock" | "perl" | "python3";

export interface LockOptions {
  /** Any number of `shared` holders, or a single `exclusive` one. Asking again on a locked descriptor converts its lock. */
  readonly mode: "exclusive" | "shared";
  /** Wait for other holders to go; else answer at once. */
  readonly wait: boolean;
  /** The longest wait in milliseconds; default: for ever. */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait with ABORTED; the descriptor is then not locked. */
  readonly signal?: AbortSignal | undefined;
  /** Use this program only, instead of the first that is there. */
  readonly mechanism?: LockMechanism | undefined;
}

type Request = "exclusive" | "shared" | "unlock";

/** Each command exits 0 when it has the lock, 1 without a word when somebody else does, and complains otherwise. */
interface Command {
  readonly name: LockMechanism;
  args(request: Request, wait: boolean): string[];
}

const PERL =
  'use Fcntl ":flock"; my ($kind, $wait) = @ARGV; open(my $file, "<&=", 3) or die "descriptor: $!\\n"; ' +
  'my $how = $kind eq "unlock" ? LOCK_UN : $kind eq "shared" ? LOCK_SH : LOCK_EX; $how |= LOCK_NB unless $wait; ' +
  'exit 0 if flock($file, $how); exit 1 if $!{EWOULDBLOCK}; die "flock: $!\\n";';

const PYTHON = `import fcntl, sys
how = {"unlock": fcntl.LOCK_UN, "shared": fcntl.LOCK_SH, "exclusive": fcntl.LOCK_EX}[sys.argv[1]]
try:
    fcntl.flock(3, how if sys.argv[2] == "1" else how | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit(1)
except OSError as error:
    sys.stderr.write("flock: %s\\n" % error)
    sys.exit(2)
`;

const COMMANDS: readonly Command[] = [
  {
    // Only what util-linux and busybox have in common: -s, -x, -u, -n and a descriptor.
    name: "flock",
    args: (request, wait) => [{ exclusive: "-x", shared: "-s", unlock: "-u" }[request], ...(wait ? [] : ["-n"]), "3"],
  },
  { name: "perl", args: (request, wait) => ["-MErrno", "-e", PERL, request, wait ? "1" : "0"] },
  { name: "python3", args: (request, wait) => ["-S", "-c", PYTHON, request, wait ? "1" : "0"] },
];

type Attempt = { readonly ended: "locked" | "held" | "killed" | "missing" } | { readonly ended: "failed"; why: string };

/** Runs one helper on `fd`. `stop` (time-out or abort) kills it: the wait is over, and whether it got the lock is unknown. */
async function run(
  command: Command,
  fd: number,
  request: Request,
  wait: boolean,
  stop?: AbortSignal,
): Promise<Attempt> {
  const child = spawn(command.name, command.args(request, wait), {
    stdio: ["ignore", "ignore", "pipe", fd],
    env: { ...process.env, LC_ALL: "C" },
  });
  const kill = (): void => void child.kill("SIGKILL");
  stop?.addEventListener("abort", kill);
  if (stop?.aborted === true) kill();
  try {
    return await new Promise<Attempt>((resolve) => {
      let said = "";
      child.stderr?.setEncoding("utf8").on("data", (text: string) => (said += text.slice(0, 500)));
      child.on("error", (error: NodeJS.ErrnoException) => {
        const missing = error.code === "ENOENT" || error.code === "EACCES";
        resolve(missing ? { ended: "missing" } : { ended: "failed", why: error.message });
      });
      child.on("close", (code, signal) => {
        if (code === 0) resolve({ ended: "locked" });
        else if (code === 1 && !wait && said === "") resolve({ ended: "held" });
        else if (signal !== null && stop?.aborted === true) resolve({ ended: "killed" });
        else resolve({ ended: "failed", why: said.trim() || `${command.name} ended with ${String(signal ?? code)}` });
      });
    });
  } finally {
    stop?.removeEventListener("abort", kill);
  }
}

/** Which program was found on which PATH, so that the missing ones are not tried again for every lock. */
const found = new Map<string, Command>();

function candidates(only: LockMechanism | undefined): readonly Command[] {
  if (only !== undefined) return COMMANDS.filter((command) => command.name === only);
  const known = found.get(process.env["PATH"] ?? "");
  return known === undefined ? COMMANDS : [known, ...COMMANDS.filter((command) => command !== known)];
}

/** The first program that is there, and what it did; null when none is. */
async function runFirst(
  commands: readonly Command[],
  fd: number,
  request: Request,
  wait: boolean,
  stop?: AbortSignal,
): Promise<{ readonly command: Command; readonly attempt: Attempt } | null> {
  for (const command of commands) {
    const attempt = await run(command, fd, request, wait, stop);
    if (attempt.ended === "missing") continue;
    if (commands.length > 1) found.set(process.env["PATH"] ?? "", command);
    return { command, attempt };
  }
  return null;
}

/**
 * Locks the file that `fd` is open on, with flock(2), until `fd` is closed or this process dies. To hold two locks on one
 * file in one process, open it twice. Do not close `fd` before the answer. Costs one short-lived child process (about 2 ms).
 *
 * @returns true when the lock is ours; false when somebody else has it and `wait` is false or `timeoutMs` is over
 * @throws BackendError PATH_UNUSABLE when the file cannot be locked, or nothing on this machine can do it; ABORTED
 */
export async function lockFile(fd: number, options: LockOptions): Promise<boolean> {
  const { mode, wait, timeoutMs, signal } = options;
  throwIfAborted(signal);
  requireFile(fd);
  const timeout = new AbortController();
  const timer = wait && timeoutMs !== undefined ? setTimeout(() => timeout.abort(), timeoutMs) : undefined;
  const stop = signal === undefined ? timeout.signal : AbortSignal.any([signal, timeout.signal]);
  try {
    const result = await runFirst(candidates(options.mechanism), fd, mode, wait, stop);
    if (result === null) throw nothingLocks(options.mechanism);
    const { command, attempt } = result;
    if (stop.aborted && attempt.ended !== "locked") {
      // The helper may have been killed just after it got the lock: give it back, whatever happened.
      await run(command, fd, "unlock", true);
      throwIfAborted(signal);
      return false;
    }
    if (attempt.ended === "failed") throw lockFailed(attempt.why);
    return attempt.ended === "locked";
  } finally {
    clearTimeout(timer);
  }
}

/** The program that `lockFile` would use here, found by really locking a file; null when there is none. */
export async function lockMechanism(): Promise<LockMechanism | null> {
  const fd = openSync(process.execPath, "r");
  try {
    for (const command of COMMANDS) {
      const { ended } = await run(command, fd, "shared", false);
      if (ended === "locked" || ended === "held") return command.name;
    }
    return null;
  } finally {
    closeSync(fd);
  }
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  const cause: unknown = signal.reason;
  throw new BackendError("ABORTED", "the wait for a file lock was aborted", { facts: { operation: "lock" }, cause });
}

/** A number that is no open file (any more) would lock whatever the child's pipes make of it. */
function requireFile(fd: number): void {
  let file: boolean;
  try {
    file = fstatSync(fd).isFile();
  } catch (error) {
    throw ioError(error, { operation: "lock", file: `descriptor ${String(fd)}` });
  }
  if (!file) throw lockFailed("it is not a regular file");
}

function nothingLocks(only: LockMechanism | undefined): BackendError {
  const names = only ?? COMMANDS.map((command) => command.name).join(", ");
  return new BackendError(
    "PATH_UNUSABLE",
    `the file cannot be locked: none of these programs is on the PATH: ${names}`,
    {
      facts: { operation: "lock" },
      hint: "install flock (package util-linux, or busybox), perl or python3: without a lock that excludes other processes nothing is written",
    },
  );
}

function lockFailed(why: string): BackendError {
  return new BackendError("PATH_UNUSABLE", `the file cannot be locked: ${why}`, {
    facts: { operation: "lock" },
    hint: "use a file on a local file system, or on one whose server supports flock",
  });
}
