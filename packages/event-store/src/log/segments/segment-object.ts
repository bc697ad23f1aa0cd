import type { ObjectStore } from "../../objects/port.js";
import type { SegmentEntry } from "./catalog.js";
import { SegmentFile, SegmentUnusable } from "./segment-file.js";

/** A segment in a bucket, read by ranges of its object. */
export function segmentObject(objects: ObjectStore, segment: SegmentEntry): SegmentFile {
  const { key, size } = segment;
  const bytes = {
    name: key,
    size,
    read: async (range: { readonly start: number; readonly end: number }, signal?: AbortSignal): Promise<Buffer> => {
      if (range.end <= range.start) throw new SegmentUnusable(key, "it is empty");
      const object = await objects.get(key, { range, signal });
      if (object === null) throw new SegmentUnusable(key, "it is gone", { gone: true });
      if (object.body.length < range.end - range.start)
        throw new SegmentUnusable(key, "it is shorter than it was listed");
      return object.body;
    },
  };
  return new SegmentFile(bytes, segment);
}
