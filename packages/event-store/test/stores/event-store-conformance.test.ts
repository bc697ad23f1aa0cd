import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, it } from "vitest";
import { directoryObjects } from "../../src/objects/directory.js";
import { memoryObjects } from "../../src/objects/memory.js";
import { FileEventStore } from "../../src/stores/file/file-event-store.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";
import { eventStoreConformance, type EventStoreContext } from "../../src/testing/event-store-conformance.js";

const scratch = mkdtempSync(join(tmpdir(), "rynxs-conformance-"));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});
let count = 0;
const fresh = (): string => join(scratch, String(count++));

function suite(name: string, context: () => EventStoreContext): void {
  describe(name, () => {
    for (const { name: title, run } of eventStoreConformance) it(title, () => run(context()));
  });
}

suite("file store", () => {
  const path = join(fresh(), "events.log");
  return { open: () => FileEventStore.open({ path }) };
});

suite("file store that rotates at every append", () => {
  const path = join(fresh(), "events.log");
  return { open: () => FileEventStore.open({ path, maxBytes: 1 }) };
});

suite("S3 store on the memory driver", () => {
  const { bucket } = memoryObjects();
  return { open: () => S3EventStore.open({ objects: memoryObjects({ bucket }), prefix: "events" }) };
});

suite("S3 store on the directory driver", () => {
  const path = fresh();
  return { open: () => S3EventStore.open({ objects: directoryObjects({ path }), prefix: "a/b" }) };
});
