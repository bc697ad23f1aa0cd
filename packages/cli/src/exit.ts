import type { EventStoreError } from "@rynxs/event-store";

/** What the exit status says; scripts rely on it. */
export const EXIT = {
  ok: 0,
  /** Wrong usage, or something failed on the way. */
  failed: 1,
  /** The log is not what it claims to be: some record, head or link (`verify --pointers`), or what was signed of it, failed verification. */
  unverified: 2,
  /** Ended by Ctrl-C, as shells have it: 128 + SIGINT. */
  interrupted: 130,
} as const;

/** Codes that only the command line has, beside the library's. */
type CliCode = "CONFLICT" | "NOT_A_PREFIX" | "INTERRUPTED" | "INTERNAL";

/** Facts for people and for `--json`: in this order, under these names. */
export type Facts = Readonly<Record<string, string | number | undefined>>;

/** An error of the command line's own, or the library's with what the command knows about it. */
export class CliError extends Error {
  readonly code: EventStoreError["code"] | CliCode;
  readonly facts: Facts;
  readonly hint: string | undefined;
  /** Fields that stand beside `error` in `--json` output: what was done before it failed. */
  readonly done: Readonly<Record<string, unknown>>;

  constructor(
    code: CliError["code"],
    message: string,
    details: {
      facts?: Facts;
      hint?: string | undefined;
      done?: Readonly<Record<string, unknown>>;
      cause?: unknown;
    } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "CliError";
    this.code = code;
    this.facts = details.facts ?? {};
    this.hint = details.hint;
    this.done = details.done ?? {};
  }
}

/** An argument is wrong; nothing was done. */
export function usageError(message: string, hint?: string): CliError {
  return new CliError("INVALID_CONFIG", message, { hint });
}

/** The log's last hash is not the one that the caller expected. */
export function conflict(expected: string | undefined, observed: string): CliError {
  return new CliError("CONFLICT", "the log's last event_hash is not the expected one; nothing was appended", {
    facts: { expected, actual: observed },
    hint: "somebody else appended meanwhile: read what is new, decide again, and pass the actual hash as --expect-prev",
  });
}

/** The aggregate has more or fewer events than the caller expected. */
export function versionConflict(expected: number, observed: number | undefined): CliError {
  return new CliError("CONFLICT", "the aggregate does not have the expected version; nothing was appended", {
    facts: { expected, actual: observed },
    hint: "read what is new of the aggregate, decide again, and pass the actual version as --expect-version",
  });
}

/** A signal ended it. `done` stands beside the error. */
export function interruptedBy(what: string, done: CliError["done"], hint?: string): CliError {
  return new CliError("INTERRUPTED", `stopped by a signal while ${what}`, { done, hint });
}

/** The same failure, with `message` put in front and what had been done before. */
export function extend(error: unknown, message: string, facts: Facts, done: CliError["done"]): CliError {
  const { code, message: original, facts: known, hint } = describe(error);
  return new CliError(code, `${message}: ${original}`, {
    facts: { ...facts, ...known },
    hint,
    done,
    cause: error,
  });
}

export interface Failure {
  readonly code: CliError["code"];
  readonly message: string;
  readonly facts: Facts;
  readonly hint: string | undefined;
  readonly done: CliError["done"];
  readonly exitCode: number;
}

export function describe(error: unknown): Failure {
  if (error instanceof CliError || isStoreError(error)) {
    const { code, message, facts } = error;
    // a command that knows better has put its own hint into its error
    const hint = code === "COMMIT_UNKNOWN" && !(error instanceof CliError) ? COMMIT_UNKNOWN_HINT : error.hint;
    const done = error instanceof CliError ? error.done : {};
    return { code, message, facts: inOrder(facts), hint, done, exitCode: exitCodeOf(code) };
  }
  return {
    code: "INTERNAL",
    message: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
    facts: {},
    hint: "this is a defect: please report it, with what RYNXS_DEBUG=1 adds to this output",
    done: {},
    exitCode: EXIT.failed,
  };
}

const FIRST = ["line", "seq", "expected", "actual"];

/** What matters most comes first. */
function inOrder(facts: EventStoreError["facts"] | Facts): Facts {
  const given = Object.entries(facts as Facts).filter(([, value]) => value !== undefined);
  const rank = (name: string): number => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  return Object.fromEntries(given.sort(([a], [b]) => rank(a) - rank(b)));
}

/** The library's own hint is for programs, which still hold the store open. */
const COMMIT_UNKNOWN_HINT =
  "read that seq later (rynxs read --from SEQ --to SEQ --json): with this hash the event is in the log, with another it is not; do not append it again before you know";

/** Judged by its shape: loading the library for a usage error would cost more than all the rest of the command. */
function isStoreError(error: unknown): error is EventStoreError {
  return error instanceof Error && "code" in error && "facts" in error && "action" in error;
}

/** An event cannot be written, wherever it would stand. */
export function isRefusal(error: unknown): boolean {
  return isStoreError(error) && (error.code === "INVALID_EVENT" || error.code === "TOO_LARGE");
}

const VERDICTS: ReadonlySet<string> = new Set([
  "MALFORMED",
  "MISPLACED",
  "GAP",
  "DUPLICATE",
  "CHAIN_BROKEN",
  "HASH_MISMATCH",
  "TORN_TAIL",
  "HEAD_CONTRADICTS_LOG",
  "TRUNCATED",
] satisfies EventStoreError["code"][]);

const TRUST_VERDICTS: ReadonlySet<string> = new Set([
  "SIGNATURE_INVALID",
  "ORIGIN_MISMATCH",
  "PROOF_INVALID",
  "TREE_MISMATCH",
  "ROLLED_BACK",
  "FORKED",
  "NOT_WITNESSED",
] satisfies EventStoreError["code"][]);

function exitCodeOf(code: CliError["code"]): number {
  if (code === "INTERRUPTED") return EXIT.interrupted;
  return VERDICTS.has(code) || TRUST_VERDICTS.has(code) ? EXIT.unverified : EXIT.failed;
}

/** A failure as the lines people see on standard error. */
export function failureText({ code, message, facts, hint }: Failure): string {
  const shown = Object.entries(facts);
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  const lines = [`error ${code}: ${message}`];
  for (const [name, value] of shown) lines.push(`  ${name.padEnd(width)}  ${String(value)}`);
  if (hint !== undefined) lines.push(`hint: ${hint}`);
  return lines.join("\n");
}

/** A failure as `--json` has it: `{"error":{"code","message","seq"?,"expected"?,"actual"?,…,"hint"?}}`, behind what was done before. */
export function failureJson({ code, message, facts, hint, done }: Failure): Record<string, unknown> {
  return { ...done, error: { code, message, ...facts, hint } };
}
