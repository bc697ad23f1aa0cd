import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { NewEvent } from "../../../src/core/event.js";
import { memoryObjects } from "../../../src/objects/memory.js";
import type { ObjectMap } from "../../../src/objects/object-map.js";
import type { ObjectStore } from "../../../src/objects/port.js";
import { FileEventStore } from "../../../src/stores/file/file-event-store.js";
import type { EventStore } from "../../../src/stores/port.js";
import type { ProjectOptions } from "../../../src/stores/projection/project.js";
import { defineProjection, type Projection } from "../../../src/stores/projection/projection.js";
import { S3EventStore } from "../../../src/stores/s3-event-store.js";
import type { StoreWarning } from "../../../src/system/warning.js";

export interface Totals {
  count: number;
  byAggregate: Record<string, number>;
  /** Every n, in order: says which events were applied, and how often. */
  seen: number[];
}

/** Changes the state that it is given. */
export const totals: Projection<Totals> = defineProjection<Totals>({
  name: "totals",
  version: 1,
  initial: { count: 0, byAggregate: {}, seen: [] },
  apply: (state, { aggregateId, payload }) => {
    state.count++;
    state.byAggregate[aggregateId] = (state.byAggregate[aggregateId] ?? 0) + 1;
    state.seen.push(payload["n"] as number);
    return state;
  },
});

export function event(n: number, type = `T${String(n % 3)}`): NewEvent {
  return { type, aggregateId: `a-${String(n % 4)}`, ts: 5, payload: { n } };
}

/** What `totals` must come to over the events 0 … count − 1. */
export function expected(count: number): Totals {
  const seen = Array.from({ length: count }, (_, n) => n);
  const byAggregate: Record<string, number> = {};
  for (const n of seen) byAggregate[`a-${String(n % 4)}`] = (byAggregate[`a-${String(n % 4)}`] ?? 0) + 1;
  return { count, byAggregate, seen };
}

export async function fill(store: EventStore, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n += 1000)
    await store.appendBatch(Array.from({ length: Math.min(1000, to - n) }, (_, i) => event(n + i)));
}

export function onBucket(bucket: ObjectMap, objects: ObjectStore = memoryObjects({ bucket })): Promise<EventStore> {
  return S3EventStore.open({ objects, onWarning: () => undefined });
}

export function onFile(): Promise<EventStore> {
  const folder = mkdtempSync(join(tmpdir(), "rynxs-projection-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return FileEventStore.open({ path: join(folder, "events.log") });
}

/** Options that gather warnings instead of printing them. */
export function listening(options: ProjectOptions = {}): ProjectOptions & { readonly warnings: StoreWarning[] } {
  const warnings: StoreWarning[] = [];
  return { ...options, warnings, onWarning: (warning) => warnings.push(warning) };
}
