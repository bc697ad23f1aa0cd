import { expect, it } from "vitest";
import { BackendError } from "../../src/core/errors.js";
import { memoryObjects } from "../../src/objects/memory.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";
import type { StoreWarning } from "../../src/system/warning.js";
import { overriding } from "./overriding.js";

it("a bucket policy that refuses the head: appends go on, and it is said once", async () => {
  const objects = memoryObjects();
  const refusing = overriding(objects, {
    putIfAbsent: (key, ...rest) =>
      key.endsWith("_head.json")
        ? Promise.reject(new BackendError("ACCESS_DENIED", "PUT refused by the policy"))
        : objects.putIfAbsent(key, ...rest),
  });
  const warnings: StoreWarning[] = [];
  const store = await S3EventStore.open({ objects: refusing, onWarning: (warning) => warnings.push(warning) });
  for (let i = 0; i < 3; i++) expect((await store.appendWithRetry({ type: "T", aggregateId: "a" })).seq).toBe(i);
  await store.close();
  expect(warnings).toEqual([
    { code: "HEAD_NOT_WRITTEN", message: expect.stringContaining("PUT refused by the policy") as string },
  ]);
  expect(objects.bucket.keys("events/0")).toHaveLength(3);
});
