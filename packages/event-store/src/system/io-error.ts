import { BackendError, type ErrorFacts, type FailureCode } from "../core/errors.js";

/** The `code` of an error of the operating system (`ENOENT` …), or undefined when it is something else. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

interface Kind {
  readonly code: FailureCode;
  readonly problem: string;
  readonly hint: string;
}

const FULL: Kind = {
  code: "DISK_FULL",
  problem: "there is no space left for it",
  hint: "free space, raise the quota, or move the log to a larger volume; what was acknowledged is safe",
};

function unusable(problem: string, hint: string): Kind {
  return { code: "PATH_UNUSABLE", problem, hint };
}

const DENIED = unusable("permission is denied", "give this user read and write access to it, or choose another path");

const KINDS: Readonly<Record<string, Kind>> = {
  ENOSPC: FULL,
  EDQUOT: FULL,
  EFBIG: FULL,
  EACCES: DENIED,
  EPERM: DENIED,
  EROFS: unusable("the file system is read-only", "mount it writable, or choose a path on another volume"),
  ENOENT: unusable("it does not exist", "create it, or correct the path"),
  ENOTDIR: unusable("a part of the path is not a directory", "correct the path"),
  EISDIR: unusable("it is a directory, not a file", "name a file, or correct the path"),
  ELOOP: unusable("its symbolic links go in a circle", "correct the links or the path"),
  ENAMETOOLONG: unusable("the path is too long", "choose a shorter path"),
  EBADF: { code: "IO_FAILED", problem: "it is not open", hint: "it was closed meanwhile; open the store again" },
  EMFILE: {
    code: "IO_FAILED",
    problem: "this process has too many open files",
    hint: "raise the limit of open files (ulimit -n)",
  },
};

const OTHER: Kind = {
  code: "IO_FAILED",
  problem: "the operating system reported an error",
  hint: "check the disk and the system's log, then try again",
};

/** An error of the operating system as one of ours: DISK_FULL, PATH_UNUSABLE or IO_FAILED, naming file and operation. */
export function ioError(error: unknown, at: { readonly file: string; readonly operation: string }): BackendError {
  if (error instanceof BackendError) return error;
  const errno = errnoOf(error);
  const kind = (errno === undefined ? undefined : KINDS[errno]) ?? OTHER;
  const facts: ErrorFacts = { ...at, ...(errno === undefined ? {} : { backendCode: errno }) };
  const suffix = errno === undefined ? "" : ` (${errno})`;
  return new BackendError(kind.code, `cannot ${at.operation} ${at.file}: ${kind.problem}${suffix}`, {
    facts,
    hint: kind.hint,
    cause: error,
  });
}
