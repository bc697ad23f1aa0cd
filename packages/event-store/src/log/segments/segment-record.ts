import { checkAlone } from "../../core/chain.js";
import { VerificationError } from "../../core/errors.js";
import type { RecordView } from "../../core/record-view.js";
import type { LogOnObjects } from "../log-on-objects.js";
import type { SegmentCatalog } from "./catalog.js";
import { SegmentTrust } from "./segment-trust.js";
import { SegmentUnusable } from "./segment-file.js";
import { segmentObject } from "./segment-object.js";

/** Record `seq` from a segment, checked alone; null when no segment has it as it should be. @throws BackendError */
export async function recordInSegments(
  log: LogOnObjects,
  catalog: SegmentCatalog,
  seq: number,
  signal?: AbortSignal,
): Promise<RecordView | null> {
  const { objects } = log;
  for (let gone = false; ;) {
    const segment = await catalog.covering(seq);
    if (segment === null) return null;
    try {
      await new SegmentTrust(log, signal).check(segment);
      const line = await segmentObject(objects, segment).line(seq, signal);
      if (line) return checkAlone(line, seq, { facts: { bucket: objects.identity, key: segment.key } });
      catalog.drop(segment);
    } catch (error) {
      if (!(error instanceof SegmentUnusable) && !(error instanceof VerificationError)) throw error;
      if (error instanceof SegmentUnusable && error.gone && !gone) {
        gone = true;
        await catalog.refresh();
      } else catalog.drop(segment);
    }
  }
}
