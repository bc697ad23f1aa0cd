import type { IncomingHttpHeaders } from "node:http";
import { describe, expect, it, onTestFinished } from "vitest";
import { memoryObjects } from "../../../src/objects/memory.js";
import { archiveState } from "../../../src/objects/s3/object-archive.js";
import { startS3Emulator } from "../../../src/testing/s3-emulator/index.js";
import { DRIVERS } from "./drivers.js";
import { like } from "./scripted-server.js";

describe.each(Object.entries(DRIVERS))("an archived object, by the %s driver", (_, open) => {
  it("is said to be archived, with its class and what to do; restored, it is read", async () => {
    const emulator = await startS3Emulator();
    onTestFinished(() => emulator.close());
    const objects = emulator.objects("events");
    const store = open({ endpoint: emulator.endpoint });
    for (const storageClass of ["GLACIER", "DEEP_ARCHIVE"]) {
      objects.put(storageClass, "old", { storageClass });
      const refused = {
        code: "ARCHIVED",
        action: "fix",
        message: like(`archived in ${storageClass}`),
        facts: { operation: "GET", key: storageClass, storageClass, status: 403, backendCode: "InvalidObjectState" },
        hint: like("rynxs restore"),
      };
      await expect(store.get(storageClass)).rejects.toMatchObject(refused);
      await expect(store.get(storageClass, { range: { start: 0, end: 1 } })).rejects.toMatchObject(refused);
      const { entries } = await store.list({ prefix: storageClass });
      expect(entries).toMatchObject([{ key: storageClass, storageClass }]);
      objects.change(storageClass, { restore: "ongoing" });
      await expect(store.get(storageClass)).rejects.toMatchObject(refused);
      emulator.completeRestores("events");
      expect((await store.get(storageClass))?.body.toString()).toBe("old");
    }
    expect(
      emulator.requests.filter(({ status }) => status === 403),
      "asked once each",
    ).toHaveLength(6);
    objects.put("ir", "cold", { storageClass: "GLACIER_IR" });
    expect((await store.get("ir"))?.body.toString()).toBe("cold");
  });
});

it("in memory too", async () => {
  let now = 1000;
  const store = memoryObjects({ clock: () => now });
  await store.putIfAbsent("k", Buffer.from("x"));
  store.bucket.change("k", { storageClass: "GLACIER" });
  await expect(store.get("k")).rejects.toMatchObject({ code: "ARCHIVED", facts: { storageClass: "GLACIER" } });
  store.bucket.change("k", { restore: 2000 });
  expect((await store.get("k"))?.body.toString()).toBe("x");
  now = 2000;
  await expect(store.get("k")).rejects.toMatchObject({ code: "ARCHIVED" });
});

it.each([
  [{}, { storageClass: "STANDARD", state: "readable" }],
  [{ "x-amz-storage-class": "STANDARD_IA" }, { storageClass: "STANDARD_IA", state: "readable" }],
  [{ "x-amz-storage-class": "GLACIER" }, { storageClass: "GLACIER", state: "archived" }],
  [{ "x-amz-storage-class": "INTELLIGENT_TIERING" }, { storageClass: "INTELLIGENT_TIERING", state: "readable" }],
  [
    { "x-amz-storage-class": "INTELLIGENT_TIERING", "x-amz-archive-status": "ARCHIVE_ACCESS" },
    { storageClass: "INTELLIGENT_TIERING", state: "archived" },
  ],
  [
    { "x-amz-storage-class": "DEEP_ARCHIVE", "x-amz-restore": 'ongoing-request="true"' },
    { storageClass: "DEEP_ARCHIVE", state: "restoring" },
  ],
  [
    {
      "x-amz-storage-class": "GLACIER",
      "x-amz-restore": 'ongoing-request="false", expiry-date="Fri, 23 Dec 2012 00:00:00 GMT"',
    },
    { storageClass: "GLACIER", state: "readable", readableUntil: Date.UTC(2012, 11, 23) },
  ],
])("the headers %j are understood", (headers: IncomingHttpHeaders, state) => {
  expect(archiveState(headers)).toEqual(state);
});
