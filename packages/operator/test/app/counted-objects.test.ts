import { BackendError, memoryObjects, S3EventStore, type ObjectStore, type PutOutcome } from "@rynxs/event-store";
import { describe, expect, it } from "vitest";
import { countedObjects, putErrorType } from "../../src/app/counted-objects.js";

const error = (code: "UNAVAILABLE" | "ACCESS_DENIED" | "REQUEST_REFUSED", status?: number, backendCode?: string) =>
  new BackendError(code, "failed", {
    facts: { ...(status !== undefined && { status }), ...(backendCode !== undefined && { backendCode }) },
  });

describe("the count of writes to the bucket", () => {
  it.each([
    [error("UNAVAILABLE", 503), "throttled"],
    [error("UNAVAILABLE", 429), "throttled"],
    [error("UNAVAILABLE", 500), "server_error"],
    [error("UNAVAILABLE", undefined, "UND_ERR_HEADERS_TIMEOUT"), "timeout"],
    [error("UNAVAILABLE", undefined, "ECONNRESET"), "connection"],
    [error("ACCESS_DENIED", 403), "access_denied"],
    [error("REQUEST_REFUSED", 400), "refused"],
  ])("calls %s %s", (cause, type) => {
    expect(putErrorType(cause)).toBe(type);
  });

  it("counts failures and lost races, and neither probes nor heads among the races", async () => {
    const bucket = memoryObjects();
    const failed: string[] = [];
    let conflicts = 0;
    let fault: PutOutcome | null = null;
    const faulty: ObjectStore = {
      ...Object.fromEntries(
        ["get", "list", "delete", "close", "replaceIfMatch"].map((name) => [
          name,
          (bucket as never as Record<string, (...args: unknown[]) => unknown>)[name]!.bind(bucket),
        ]),
      ),
      identity: "m",
      putIfAbsent: async (key, body, options) => {
        const stored = await bucket.putIfAbsent(key, body, options);
        const answer = fault ?? stored;
        fault = null;
        return answer;
      },
    } as ObjectStore;
    const store = await S3EventStore.open({
      objects: countedObjects(faulty, { failed: (type) => failed.push(type), conflict: () => conflicts++ }),
    });
    await store.append({ type: "T", aggregateId: "a", payload: {} });
    expect([failed, conflicts]).toEqual([[], 0]);
    fault = { outcome: "unknown", sent: true, cause: error("UNAVAILABLE", 500) };
    await store.append({ type: "T", aggregateId: "a", payload: {} });
    expect(failed).toEqual(["server_error"]);
    const other = await S3EventStore.open({ objects: memoryObjects({ bucket: bucket.bucket }) });
    await other.append({ type: "T", aggregateId: "b", payload: {} });
    const before = conflicts;
    await store.appendWithRetry({ type: "T", aggregateId: "a", payload: {} });
    expect(conflicts).toBe(before + 1);
    expect(failed).toEqual(["server_error"]);
  });
});
