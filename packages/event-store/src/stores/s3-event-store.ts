import { ConfigError } from "../core/errors.js";
import type { AnyEvents, EventMap, HashVersion, Head } from "../core/event.js";
import type { RecordView } from "../core/record-view.js";
import { Appender } from "../log/appender.js";
import { HeadKeeper } from "../log/head-keeper.js";
import { LogIndex } from "../log/index/coverage.js";
import { LogKeys } from "../log/keys.js";
import { ObjectLogWriter } from "../log/object-log.js";
import { ObjectWatch } from "../log/object-watch.js";
import { walkObjects, type WalkRange, type WalkStep } from "../log/reader.js";
import { readHead, recordAt, type LogOnObjects } from "../log/tail.js";
import type { CompactionReport, CompactOptions, PruneOptions, PruneReport, Upkeep } from "../log/upkeep.js";
import { parseRetain } from "../log/retention.js";
import type { RetentionMode } from "../objects/locks.js";
import { observedBy, type ObserveObjects } from "../objects/observed.js";
import type { ObjectStore } from "../objects/port.js";
import type { S3ConnectionOptions } from "../objects/s3/open.js";
import type { SdkS3Options } from "../objects/s3/sdk-objects.js";
import { systemRuntime, type Runtime } from "../system/runtime.js";
import { emitWarning, type OnWarning } from "../system/warning.js";
import { EventLog } from "./event-log.js";
import type { EventStore } from "./port.js";
import type { RecordSource } from "./record-source.js";

/** How a log on a bucket is kept. */
export interface ObjectLogOptions {
  /** Default `events`. A trailing slash does not count. */
  readonly prefix?: string | undefined;
  /** Key of the head hint; default `<prefix>/_head.json`. */
  readonly headKey?: string | undefined;
  /** Read and keep the head hint; default true. Without it, finding the tail costs more requests, and a cut tail goes unnoticed. */
  readonly useHead?: boolean | undefined;
  /** Default 1. */
  readonly hashVersion?: HashVersion | undefined;
  /**
   * Batch mode: appends that come while a put is under way share the next object, up to 1000 records or 4 MiB. Default false: one
   * object an append, as the Python system writes and reads them.
   */
  readonly batch?: boolean | undefined;
  /**
   * Keep each event object from being deleted for so long: `30d`, `12mo`, `7y` (Object Lock; docs/operations/worm.md). The head, probes
   * and what is derived are never retained. An append to a bucket without Object Lock fails with NO_OBJECT_LOCK, nothing written.
   */
  readonly retain?: string | undefined;
  /** With `retain`. Default `GOVERNANCE`: who has the right to may delete earlier. `COMPLIANCE` cannot be taken back by anybody. */
  readonly retainMode?: RetentionMode | undefined;
  /**
   * Read each event object by its oldest version, whatever was put on top of it or deleted since: what was committed, in a bucket that keeps
   * versions. The log can then only be read. Only for a bucket that is named by itself, not an `S3Client` or an ObjectStore. Default false.
   */
  readonly oldestVersions?: boolean | undefined;
  /** How long one append may try before it fails; milliseconds, default 30,000. */
  readonly appendTimeoutMs?: number | undefined;
  /** Do not ask for the bucket on opening. */
  readonly skipBucketCheck?: boolean | undefined;
  /** Do not prove before the first append that the backend honours conditional puts. Only for a backend that was proved otherwise. */
  readonly skipBackendProof?: boolean | undefined;
  /** Default: Node's process warnings. */
  readonly onWarning?: OnWarning | undefined;
  /**
   * Puts something of the caller's between the log and its bucket, to count or to trace: called once on opening, with the driver;
   * every call of the log (probes and head among them, segments and positions too) then goes to what it returns, which must pass it
   * on and hand back the answer as it is. Make it forward call by call: a driver's methods are not its own properties, so `{ ...objects }`
   * has none. Identity, clock and fence are always the driver's, and `close()` closes both.
   */
  readonly observe?: ObserveObjects | undefined;
  /** Clock, chance and ids, for tests. */
  readonly runtime?: Runtime | undefined;
}

/**
 * How to reach a bucket; or an `S3Client` of the caller's (`client` and `bucket`, which needs the package
 * `@aws-sdk/client-s3`); or an ObjectStore of the caller's (`directoryObjects`, `memoryObjects`), which `close()` closes.
 */
export type S3EventStoreOptions = ObjectLogOptions &
  (S3ConnectionOptions | SdkS3Options | { readonly objects: ObjectStore });

/** An event log on an S3-compatible bucket: one JSON object per event, conditional puts as the only coordination. */
export const S3EventStore = {
  /** Opens a log; it need not exist. @throws ConfigError; BackendError when the bucket cannot be reached or listed */
  async open<E extends EventMap = AnyEvents>(options: S3EventStoreOptions): Promise<EventStore<E>> {
    const keys = new LogKeys(options.prefix ?? "events", options.headKey);
    const timeoutMs = checkTimeout(options.appendTimeoutMs ?? 30_000);
    const { runtime = systemRuntime, onWarning = emitWarning } = options;
    const retain = options.retain === undefined ? undefined : parseRetain(options.retain, options.retainMode);
    const driver = await driverOf(options, keys, onWarning);
    const objects = await observedBy(options.observe, driver);
    const log: LogOnObjects = { objects, keys, useHead: options.useHead ?? true, retain, onWarning };
    if (options.skipBucketCheck !== true) await checkBucket(log);
    const keeper = log.useHead ? new HeadKeeper(objects, keys.head, runtime, onWarning) : null;
    const appender = new Appender(log, {
      head: keeper,
      runtime,
      timeoutMs,
      prove: options.skipBackendProof !== true,
      batch: options.batch ?? false,
    });
    return new EventLog<E>({
      location: "bucket" in options ? `s3://${options.bucket}/${keys.root}` : `${objects.identity}/${keys.root}`,
      derived: { objects, root: keys.root },
      source: new ObjectSource(log, onWarning),
      writer: new ObjectLogWriter(log, appender, keeper),
      upkeep: new ObjectUpkeep(log, runtime),
      hashVersion: options.hashVersion ?? 1,
      runtime,
    });
  },
};

async function driverOf(options: S3EventStoreOptions, keys: LogKeys, onWarning: OnWarning): Promise<ObjectStore> {
  if (options.oldestVersions === true) {
    if ("objects" in options || "client" in options) {
      throw new ConfigError(
        "oldestVersions needs a bucket that is named by itself, not an S3Client or an ObjectStore",
        {
          hint: "give bucket, endpoint, region and credentials",
        },
      );
    }
    const { openS3Upkeep } = await import("../objects/s3/index.js");
    const { OldestVersions } = await import("../log/oldest-versions.js");
    return new OldestVersions(await connect(options, onWarning), openS3Upkeep(options), keys);
  }
  return "objects" in options ? options.objects : connect(options, onWarning);
}

/** The HTTP client is loaded only when a bucket is opened. */
async function connect(options: S3ConnectionOptions | SdkS3Options, onWarning: OnWarning): Promise<ObjectStore> {
  const { openS3Objects, sdkS3Objects } = await import("../objects/s3/index.js");
  if ("client" in options) return sdkS3Objects(options);
  const objects = openS3Objects(options);
  if (objects.note !== undefined) onWarning({ code: "ENDPOINT_SCHEME_ASSUMED", message: objects.note });
  return objects;
}

async function checkBucket(log: LogOnObjects): Promise<void> {
  try {
    await log.objects.list({ prefix: log.keys.root, maxKeys: 1 });
  } catch (error) {
    await log.objects.close();
    throw error;
  }
}

class ObjectSource implements RecordSource {
  readonly index: LogIndex;
  readonly #log: LogOnObjects;

  constructor(log: LogOnObjects, onWarning: OnWarning) {
    this.#log = log;
    this.index = new LogIndex(log, { hashOf: (seq, signal) => this.hashOf(seq, signal), onWarning });
  }

  storedHead(signal?: AbortSignal): Promise<Head | null> {
    return readHead(this.#log, signal);
  }

  walk(range: WalkRange): AsyncIterable<WalkStep> {
    return walkObjects(this.#log, range);
  }

  async hashOf(seq: number, signal?: AbortSignal): Promise<string | null> {
    return (await this.recordOf(seq, signal))?.eventHash ?? null;
  }

  recordOf(seq: number, signal?: AbortSignal): Promise<RecordView | null> {
    return recordAt(this.#log, seq, signal);
  }

  watch(): ObjectWatch {
    return new ObjectWatch(this.#log);
  }
}

/** Loaded when it is asked for. */
class ObjectUpkeep implements Upkeep {
  readonly #log: LogOnObjects;
  readonly #runtime: Runtime;

  constructor(log: LogOnObjects, runtime: Runtime) {
    this.#log = log;
    this.#runtime = runtime;
  }

  async compact(options: CompactOptions): Promise<CompactionReport> {
    const { Compactor } = await import("../log/compaction/compactor.js");
    return new Compactor(this.#log, this.#runtime, options).run();
  }

  async prune(options: PruneOptions): Promise<PruneReport> {
    const { Pruner } = await import("../log/compaction/pruner.js");
    return new Pruner(this.#log, options).run();
  }
}

function checkTimeout(ms: number): number {
  if (Number.isFinite(ms) && ms > 0) return ms;
  throw new ConfigError(`appendTimeoutMs must be a positive number of milliseconds, not ${String(ms)}`);
}
