import { ConfigError } from "../../core/errors.js";
import type { AnyEvents, EventMap, HashVersion } from "../../core/event.js";
import { BackendError } from "../../core/errors.js";
import { ioError } from "../../system/io-error.js";
import { systemRuntime, type Runtime } from "../../system/runtime.js";
import { emitWarning, type OnWarning } from "../../system/warning.js";
import { directoryObjects } from "../../objects/directory.js";
import { EventLog } from "../event-log.js";
import type { EventStore } from "../port.js";
import { openForReading } from "./file-bytes.js";
import { systemIo, type FileIo } from "./file-io.js";
import { FileSource } from "./file-source.js";
import { FileUpkeep } from "./file-upkeep.js";
import { FileWriter } from "./file-writer.js";
import { LogFiles } from "./log-files.js";

export interface FileEventStoreOptions {
  /** The log's file; it and its directory are created by the first append. */
  readonly path: string;
  /** Rotate the live file to a segment once it has this many bytes; default: never. */
  readonly maxBytes?: number | undefined;
  /** The log must exist: opening fails when it does not. For readers, who would take a mistyped path for an empty log. */
  readonly mustExist?: boolean | undefined;
  /** Default 1. */
  readonly hashVersion?: HashVersion | undefined;
  /** How long an append may wait for other processes; milliseconds, default 30,000. */
  readonly appendTimeoutMs?: number | undefined;
  /** Default: Node's process warnings. */
  readonly onWarning?: OnWarning | undefined;
  /** Clock, chance and ids, for tests. */
  readonly runtime?: Runtime | undefined;
  /** Writes, for tests. */
  readonly io?: FileIo | undefined;
}

/** An event log in a local file: one JSON record per line, synced before it is acknowledged. */
export const FileEventStore = {
  /** Opens a log; it need not exist. @throws ConfigError; BackendError PATH_UNUSABLE */
  async open<E extends EventMap = AnyEvents>(options: FileEventStoreOptions): Promise<EventStore<E>> {
    const files = new LogFiles(options.path);
    const {
      maxBytes,
      appendTimeoutMs = 30_000,
      onWarning = emitWarning,
      runtime = systemRuntime,
      io = systemIo,
    } = options;
    if (maxBytes !== undefined && !(Number.isSafeInteger(maxBytes) && maxBytes > 0)) {
      throw new ConfigError(`maxBytes must be a positive integer, not ${String(maxBytes)}`, {
        hint: "leave it out to never rotate",
      });
    }
    await checkPath(files, options.mustExist ?? false);
    const source = new FileSource(files);
    const context = { files, io, runtime, onWarning, source };
    return new EventLog<E>({
      location: `file:${files.live}`,
      derived: { objects: directoryObjects({ path: files.derived }), root: "" },
      source,
      writer: new FileWriter(context, { maxBytes, timeoutMs: appendTimeoutMs }),
      upkeep: new FileUpkeep(context),
      hashVersion: options.hashVersion ?? 1,
      runtime,
    });
  },
};

async function checkPath(files: LogFiles, mustExist: boolean): Promise<void> {
  if (!(await files.exist())) {
    if (!mustExist) return;
    throw new BackendError("PATH_UNUSABLE", `there is no log at ${files.live}`, {
      facts: { file: files.live, operation: "open" },
      hint: "check the path; a log is created by its first append",
    });
  }
  const file = await openForReading(files.live);
  await file?.close().catch((error: unknown) => {
    throw ioError(error, { file: files.live, operation: "open" });
  });
}
