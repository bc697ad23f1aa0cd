import type { LogKeys } from "../../log/keys.js";
import { satisfies, type RetainPolicy } from "../../log/retention.js";
import { fetchAhead } from "../../log/window.js";
import type { ObjectLocks, Retention } from "../../objects/locks.js";
import type { ObjectVersions } from "../../objects/versions.js";
import { finding, type FsckCode, type FsckFinding } from "./finding.js";
import { eventVersions, original } from "./scan-versions.js";

/** Requests under way at a time. */
const AT_ONCE = 16;

interface Run {
  readonly code: FsckCode;
  readonly key: string;
  readonly seq: number;
  toSeq: number;
  count: number;
  /** The earliest end of a retention. */
  until: number;
}

/** Which event objects are kept for less long than `policy` says, by what the server says of each; neighbours as one finding. */
export async function* scanRetention(
  versions: ObjectVersions,
  locks: ObjectLocks,
  keys: LogKeys,
  policy: RetainPolicy,
  { onProgress, signal }: { onProgress?: ((objects: number) => void) | undefined; signal?: AbortSignal | undefined },
): AsyncGenerator<FsckFinding, { readonly retained: number }> {
  let asked = 0;
  let run: Run | null = null;
  const limits = { width: () => AT_ONCE, maxWeight: 10 * AT_ONCE, weight: () => 1, signal };
  const found = fetchAhead(
    (abort) => originals(versions, keys, abort),
    ({ key, versionId }, abort) => locks.retention(key, versionId, { signal: abort }),
    limits,
  );
  for await (const batch of found) {
    for (const { item, result } of batch) {
      asked += 1;
      const code = result === null ? null : codeOf(result, policy, item.modifiedAt);
      if (run !== null && run.code !== code) {
        yield said(run);
        run = null;
      }
      if (code === null) continue;
      run ??= { code, key: item.key, seq: item.seq, toSeq: item.seq, count: 0, until: Infinity };
      run.toSeq = item.seq;
      run.count += 1;
      if (result !== null && result !== "none") run.until = Math.min(run.until, result.until);
    }
    onProgress?.(asked);
  }
  if (run !== null) yield said(run);
  return { retained: asked };
}

async function* originals(
  versions: ObjectVersions,
  keys: LogKeys,
  signal: AbortSignal,
): AsyncGenerator<{ key: string; seq: number; versionId: string; modifiedAt: number }> {
  for await (const versioned of eventVersions(versions, keys, -1, signal)) {
    const first = original(versioned);
    if (first === undefined) continue;
    const { key, seq } = versioned;
    yield { key, seq, versionId: first.versionId, modifiedAt: first.modifiedAt ?? 0 };
  }
}

function codeOf(retention: Retention | "none", policy: RetainPolicy, writtenAt: number): FsckCode | null {
  if (satisfies(retention, policy, writtenAt)) return null;
  return retention === "none" ? "NOT_RETAINED" : "RETAINED_TOO_SHORT";
}

function said({ code, key, seq, toSeq, count, until }: Run): FsckFinding {
  const message =
    code === "NOT_RETAINED"
      ? "they can be deleted: no retention is set"
      : `they are kept for less long, or less strictly, than asked for; the first of them up to ${new Date(until).toISOString()}`;
  return finding(code, key, message, {
    seq,
    toSeq,
    count,
    hint: "they were written without the retention: lengthen it with aws s3api put-object-retention, or hold them (rynxs hold on)",
  });
}
