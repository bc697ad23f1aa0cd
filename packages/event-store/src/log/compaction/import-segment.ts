import { ConfigError, EventStoreError } from "../../core/errors.js";
import { GENESIS_HASH, type Head } from "../../core/event.js";
import type { RecordView } from "../../core/record-view.js";
import type { Runtime } from "../../system/runtime.js";
import { firstEventAfter } from "../listing.js";
import type { LogOnObjects } from "../log-on-objects.js";
import { isRun } from "../segments/layout.js";
import { findTail } from "../tail.js";
import { SegmentBuilder } from "./segment-builder.js";
import { SegmentStore } from "./segment-store.js";

/**
 * Writes the next records of a log that has no event objects yet as a segment: as if they had been appended, compacted and pruned.
 * `records`: a whole run, verified among themselves.
 * @throws EventStoreError NOT_NEXT; ConfigError when it is no run, or the log has event objects; BackendError
 */
export async function importSegment(
  log: LogOnObjects,
  runtime: Runtime,
  records: readonly RecordView[],
  signal?: AbortSignal,
): Promise<Head> {
  const [first, last] = [records[0], records.at(-1)];
  if (!first || !last || !isRun({ first: first.seq, last: last.seq })) {
    throw new ConfigError("a segment holds 1, 10, 100, 1000 or 10,000 records from a multiple of their number on", {
      hint: "see docs/SPEC.md, Segments",
    });
  }
  if ((await firstEventAfter(log.objects, log.keys, -1, signal)) !== null) {
    throw new ConfigError("segments can only be imported into a log without event objects", {
      hint: "copy into an empty prefix, or copy the records one by one and compact them then",
    });
  }
  const before = await findTail(log, signal);
  if (first.seq !== before.seq + 1 || first.prevHash !== (before.seq < 0 ? GENESIS_HASH : before.hash)) {
    throw new EventStoreError(
      "NOT_NEXT",
      `the records, from seq ${String(first.seq)} on, do not continue this log, which ends at seq ${String(before.seq)}`,
      { facts: { seq: first.seq, expected: first.prevHash, actual: before.hash }, hint: "nothing was written" },
    );
  }
  const builder = new SegmentBuilder({ first: first.seq, last: last.seq }, before);
  await builder.add(records);
  const end = { seq: last.seq, hash: last.eventHash };
  await new SegmentStore(log, runtime).write(await builder.end(end), signal);
  return end;
}
