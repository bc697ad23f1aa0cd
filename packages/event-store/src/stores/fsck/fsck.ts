import { ConfigError } from "../../core/errors.js";
import { LogKeys } from "../../log/keys.js";
import type { RetainPolicy } from "../../log/retention.js";
import { parseRetain } from "../../log/retention.js";
import type { ObjectLocks, RetentionMode } from "../../objects/locks.js";
import type { ObjectStore } from "../../objects/port.js";
import type { ObjectVersions } from "../../objects/versions.js";
import { openUpkeep, type BucketLog } from "../bucket-upkeep.js";
import { SegmentNames } from "./derived.js";
import type { FsckFinding, FsckReport } from "./finding.js";
import { scanObjects } from "./scan-objects.js";
import { scanRetention } from "./scan-retention.js";
import { scanVersions } from "./scan-versions.js";

export interface FsckOptions {
  /** Look at the versions of event keys too, where the bucket keeps versions (needs `s3:ListBucketVersions`). Default false. */
  readonly versions?: boolean | undefined;
  /** Ask for the retention of each event object, and name those that are kept for less long than this (`7y`). Default: do not ask. */
  readonly retain?: string | undefined;
  /** With `retain`: `COMPLIANCE` is not content with GOVERNANCE. Default `GOVERNANCE`. */
  readonly retainMode?: RetentionMode | undefined;
  /** Told how many objects, or versions, were seen in a pass. */
  readonly onProgress?: ((progress: FsckProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface FsckProgress {
  readonly pass: "objects" | "versions" | "retention";
  readonly seen: number;
}

/**
 * Everything under a log's prefix, or beside its file, that does not belong, and what is missing: by names, sizes and the head, of all
 * records only those that stand before a gap. It writes nothing, keeps nothing of what it has seen but the ranges of segments, and gives
 * each finding as it comes. Whether the records are good is what `verify` says.
 * @returns what was looked at
 * @throws ConfigError; BackendError
 */
export async function* fsck(log: BucketLog, options: FsckOptions = {}): AsyncGenerator<FsckFinding, FsckReport> {
  const policy = options.retain === undefined ? undefined : parseRetain(options.retain, options.retainMode);
  if ("type" in log && log.type === "file") {
    if (options.versions || policy !== undefined) {
      throw new ConfigError("a log in a file has no versions and no retention", {
        hint: "leave that out, or name a log in a bucket: --store s3://BUCKET/PREFIX",
      });
    }
    const { scanFiles } = await import("./scan-files.js");
    const counter = new Counter();
    const onProgress = (seen: number): void => options.onProgress?.({ pass: "objects", seen });
    const scanned = yield* counter.through(scanFiles(log.path, { onProgress, signal: options.signal }));
    return { ...totals(scanned), ...counter.counts() };
  }
  const { keys: named, upkeep, options: connection } = await openUpkeep(log, "objects");
  const keys = "headKey" in log ? new LogKeys(log.prefix, log.headKey) : named;
  const { openS3Objects } = await import("../../objects/s3/index.js");
  const objects = openS3Objects(connection);
  try {
    return yield* fsckObjects({ objects, keys, versions: upkeep.versions, locks: upkeep.locks, policy }, options);
  } finally {
    await objects.close();
    await upkeep.close();
  }
}

interface Looked {
  readonly objects: ObjectStore;
  readonly keys: LogKeys;
  readonly versions: ObjectVersions;
  readonly locks: ObjectLocks;
  readonly policy: RetainPolicy | undefined;
}

async function* fsckObjects(
  { objects, keys, versions, locks, policy }: Looked,
  options: FsckOptions,
): AsyncGenerator<FsckFinding, FsckReport> {
  const { signal } = options;
  const counter = new Counter();
  const during = (pass: FsckProgress["pass"]) => ({
    onProgress: (seen: number): void => options.onProgress?.({ pass, seen }),
    signal,
  });
  const segments = await SegmentNames.of(objects, keys, signal);
  const scanned = yield* counter.through(scanObjects(objects, keys, segments, during("objects")));
  const versioned = options.versions
    ? yield* counter.through(scanVersions(versions, keys, segments.coverage, scanned.end, during("versions")))
    : {};
  const retained = policy
    ? yield* counter.through(scanRetention(versions, locks, keys, policy, during("retention")))
    : {};
  return { ...totals(scanned), ...versioned, ...retained, ...counter.counts() };
}

function totals({
  objects,
  bytes,
  events,
}: FsckReport | Pick<FsckReport, "objects" | "bytes" | "events">): Pick<FsckReport, "objects" | "bytes" | "events"> {
  return { objects, bytes, events };
}

/** Counts the findings that go through it. */
class Counter {
  #evidence = 0;
  #warnings = 0;

  async *through<R>(findings: AsyncGenerator<FsckFinding, R>): AsyncGenerator<FsckFinding, R> {
    let next = await findings.next();
    try {
      for (; next.done !== true; next = await findings.next()) {
        if (next.value.level === "evidence") this.#evidence += 1;
        else this.#warnings += 1;
        yield next.value;
      }
      return next.value;
    } finally {
      // Left early, it ends what is under way.
      if (next.done !== true) await findings.return(undefined as never);
    }
  }

  counts(): Pick<FsckReport, "evidence" | "warnings"> {
    return { evidence: this.#evidence, warnings: this.#warnings };
  }
}
