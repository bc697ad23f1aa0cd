import { inspect } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { openS3Objects } from "../../../src/objects/s3/index.js";
import {
  FAULTS,
  startS3Emulator,
  type Fault,
  type S3Emulator,
  type S3EmulatorOptions,
} from "../../../src/testing/s3-emulator/index.js";
import { DRIVERS, SECRET, TOKEN } from "./drivers.js";
import { answer, fakeTime, like, OBJECT, s3Error, scripted, STORED } from "./scripted-server.js";

const body = Buffer.from('{"a":1}');

async function emulated(options: S3EmulatorOptions = {}): Promise<S3Emulator> {
  const emulator = await startS3Emulator(options);
  onTestFinished(() => emulator.close());
  return emulator;
}

const sent = (emulator: S3Emulator): string[] =>
  emulator.requests.map(({ operation, status }) => `${operation} ${String(status)}`);

describe.each(Object.entries(DRIVERS))("the %s driver", (name, open) => {
  const lean = name === "lean";

  describe("conditional writes are sent once, and say what is known", () => {
    const cases: readonly (readonly [Fault, boolean, object])[] = [
      [FAULTS.internalError, false, { facts: { status: 500, backendCode: "InternalError" } }],
      [FAULTS.internalErrorAfterCommit, true, { facts: { status: 500, backendCode: "InternalError" } }],
      [FAULTS.conflict, false, { facts: { status: 409 } }],
      [FAULTS.conflictAfterCommit, true, { facts: { status: 409 } }],
      [FAULTS.dropRequest, false, { code: "UNAVAILABLE" }],
      [FAULTS.dropAnswer, true, { code: "UNAVAILABLE" }],
      [FAULTS.resetBefore, false, { code: "UNAVAILABLE" }],
      [FAULTS.resetAfter, true, { code: "UNAVAILABLE" }],
      [FAULTS.truncated, true, { code: "UNAVAILABLE" }],
      [FAULTS.status(408, "RequestTimeout"), false, { facts: { status: 408 } }],
    ];
    it.each(cases)("$name", async (fault, stored, cause) => {
      const emulator = await emulated();
      emulator.faults.add({ when: { operation: "PUT" }, do: fault });
      const store = open({ endpoint: emulator.endpoint });
      expect(await store.putIfAbsent("k", body)).toMatchObject({ outcome: "unknown", sent: true, cause });
      expect(emulator.requests).toHaveLength(1);
      expect(emulator.objects("events").get("k") !== undefined, "what the server has").toBe(stored);
      // The same put again resolves it.
      expect((await store.putIfAbsent("k", body)).outcome).toBe(stored ? "exists" : "stored");
    });

    it("so are replacements", async () => {
      const emulator = await emulated();
      const store = open({ endpoint: emulator.endpoint });
      await store.putIfAbsent("k", body);
      const { etag } = (await store.get("k"))!;
      emulator.faults.add({ when: { operation: "PUT" }, do: FAULTS.internalErrorAfterCommit });
      emulator.requests.length = 0;
      expect(await store.replaceIfMatch("k", Buffer.from("new"), etag)).toMatchObject({
        outcome: "unknown",
        sent: true,
      });
      expect(emulator.requests).toHaveLength(1);
      expect((await store.get("k"))?.body.toString()).toBe("new");
    });

    it("a busy server's Retry-After is handed on", async () => {
      const emulator = await emulated();
      emulator.faults.add({ when: { operation: "PUT" }, do: FAULTS.slowDown(7) });
      expect(await open({ endpoint: emulator.endpoint }).putIfAbsent("k", body)).toMatchObject({
        outcome: "unknown",
        retryAfterMs: 7000,
      });
    });

    it("a 200 without an ETag is no proof", async () => {
      const { endpoint } = await scripted([answer(200, "<html>welcome</html>")]);
      expect(await open({ endpoint }).putIfAbsent("k", body)).toMatchObject({
        outcome: "unknown",
        sent: true,
        cause: { hint: like("S3 server") },
      });
    });

    it.each([
      [403, "AccessDenied", "ACCESS_DENIED"],
      [404, "NoSuchBucket", "BUCKET_NOT_FOUND"],
      [400, "InvalidArgument", "REQUEST_REFUSED"],
      [501, "NotImplemented", "UNSAFE_BACKEND"],
    ] as const)("a refusal (%i %s) throws %s", async (status, code, thrown) => {
      const { endpoint, seen } = await scripted([s3Error(status, code)]);
      await expect(open({ endpoint }).putIfAbsent("k", body)).rejects.toMatchObject({
        code: thrown,
        facts: { operation: "PUT", bucket: "events", key: "k", endpoint, status, backendCode: code },
        hint: code === "InvalidArgument" ? undefined : like(/./),
      });
      expect(seen).toHaveLength(1);
    });
  });

  describe("reads, listings and deletions try again", () => {
    const faults: readonly Fault[] = [
      FAULTS.internalError,
      FAULTS.dropRequest,
      FAULTS.resetBefore,
      FAULTS.truncated,
      FAULTS.slowDown(1),
      FAULTS.tooManyRequests(1),
      FAULTS.status(404, "", "never"),
    ];
    it.each(faults)("$name", async (fault) => {
      const emulator = await emulated();
      emulator.objects("events").put("k", body);
      emulator.faults.add(...["GET", "LIST", "DELETE"].map((operation) => ({ when: { operation }, do: fault })));
      const store = open({ endpoint: emulator.endpoint, ...fakeTime() });
      expect((await store.get("k"))?.body).toEqual(body);
      expect(await store.list({ prefix: "" })).toMatchObject({
        entries: [{ key: "k", size: body.length }],
        truncated: false,
      });
      await store.delete("k");
      expect(emulator.objects("events").get("k")).toBeUndefined();
      emulator.faults.assertAllUsed();
      expect(sent(emulator)).toHaveLength(6);
    });

    it("with growing pauses and full jitter, and then give up", async () => {
      const emulator = await emulated();
      emulator.faults.add({ when: { operation: "GET", count: Infinity }, do: FAULTS.internalError });
      const time = fakeTime();
      const store = open({ endpoint: emulator.endpoint, ...time, random: () => 0.5, retryDeadlineMs: 10_000 });
      await expect(store.get("k")).rejects.toMatchObject({
        code: "UNAVAILABLE",
        message: like(/^GET s3:\/\/events\/k: it failed for now \(500 InternalError .*\(\d+ tries in 9\.\d s\)$/),
        facts: { status: 500 },
      });
      expect(time.pauses).toEqual([50, 100, 200, 400, 800, 1500, 1500, 1500, 1500, 1500]);
    });

    it("wait as long as the server asks for, but not when that is beyond the deadline", async () => {
      const emulator = await emulated();
      emulator.faults.add({ when: { operation: "GET" }, do: FAULTS.slowDown(3) });
      emulator.faults.add({ when: { operation: "LIST" }, do: FAULTS.slowDown(3600) });
      const time = fakeTime();
      const store = open({ endpoint: emulator.endpoint, ...time });
      expect(await store.get("k")).toBeNull();
      expect(time.pauses).toEqual([3000]);
      await expect(store.list({ prefix: "" })).rejects.toMatchObject({ code: "UNAVAILABLE", facts: { status: 503 } });
      expect(time.pauses).toEqual([3000]);
    });

    it("until the signal is aborted", async () => {
      const emulator = await emulated();
      emulator.faults.add({ when: { operation: "GET", count: Infinity }, do: FAULTS.slowDown(15) });
      const controller = new AbortController();
      const getting = open({ endpoint: emulator.endpoint }).get("k", { signal: controller.signal });
      while (emulator.requests.at(-1)?.status !== 503) await new Promise(setImmediate);
      setTimeout(() => controller.abort(), 20);
      await expect(getting).rejects.toMatchObject({ code: "ABORTED" });
    });

    it("but never for what is final", async () => {
      const { endpoint, seen } = await scripted([
        s3Error(403, "InvalidAccessKeyId"),
        s3Error(404, "NoSuchBucket"),
        s3Error(403, "InvalidObjectState"),
      ]);
      const store = open({ endpoint });
      await expect(store.get("k")).rejects.toMatchObject({ code: "ACCESS_DENIED", hint: like("AWS_ACCESS_KEY_ID") });
      await expect(store.list({ prefix: "" })).rejects.toMatchObject({ code: "BUCKET_NOT_FOUND" });
      await expect(store.get("k")).rejects.toMatchObject({ code: "ARCHIVED", hint: like("restore") });
      expect(seen).toHaveLength(3);
    });

    it.each([
      ["an object", answer(200, "<html>welcome</html>", { "content-type": "text/html" }), "get"],
      ["a listing", answer(200, "<html>welcome</html>", { "content-type": "text/html" }), "list"],
      ["a missing object", answer(404, "404 page not found"), "get"],
    ] as const)("what is not S3's does not pass for %s", async (_, script, method) => {
      const { endpoint, seen } = await scripted([script]);
      const store = open({ endpoint, ...fakeTime(), retryDeadlineMs: 100 });
      const result = method === "get" ? store.get("k") : store.list({ prefix: "" });
      await expect(result).rejects.toMatchObject({ code: "UNAVAILABLE" });
      expect(seen.length).toBeGreaterThan(1);
    });
  });

  it("a server that says a code and nothing more is quoted as that", async () => {
    const { endpoint } = await scripted([answer(404, "<Error><Code>NoSuchBucket</Code><Message></Message></Error>")]);
    await expect(open({ endpoint }).get("k")).rejects.toMatchObject({
      message: "GET s3://events/k: there is no such bucket (404 NoSuchBucket)",
    });
  });

  it("a server that ignores ranges is helped out", async () => {
    const { endpoint, seen } = await scripted([answer(200, "0123456789", { etag: '"e"' })]);
    expect((await open({ endpoint }).get("k", { range: { start: 3, end: 5 } }))?.body.toString()).toBe("34");
    expect(seen[0]?.headers.range).toBe("bytes=3-4");
  });

  it("a listing is asked for with start-after and escaped keys, never with a continuation token", async () => {
    const emulator = await emulated();
    for (const key of ["p/a b", "p/a+b", "p/\u0001", "q"]) emulator.objects("events").put(key, body);
    const store = open({ endpoint: emulator.endpoint });
    const first = await store.list({ prefix: "p/", maxKeys: 2 });
    expect(first).toMatchObject({
      entries: ["p/\u0001", "p/a b"].map((key) => ({ key, size: body.length })),
      truncated: true,
    });
    expect(await store.list({ prefix: "p/", startAfter: "p/a b" })).toMatchObject({
      entries: [{ key: "p/a+b", size: body.length }],
      truncated: false,
    });
    expect(
      emulator.requests.map(({ query }) => [
        query["max-keys"],
        query["start-after"],
        query["encoding-type"],
        query["continuation-token"],
      ]),
    ).toEqual([
      ["2", undefined, "url", undefined],
      ["1000", "p/a b", "url", undefined],
    ]);
  });

  describe("If-Match", () => {
    it("is sent with quotes, in one request", async () => {
      const emulator = await emulated();
      const store = open({ endpoint: emulator.endpoint });
      await store.putIfAbsent("k", body);
      const { etag } = (await store.get("k"))!;
      emulator.requests.length = 0;
      expect(await store.replaceIfMatch("k", Buffer.from("new"), etag)).toMatchObject({ outcome: "stored" });
      expect(emulator.requests.map(({ headers }) => headers["if-match"])).toEqual([etag]);
      expect(etag).toMatch(/^".*"$/);
      expect(await store.replaceIfMatch("k", Buffer.from("newer"), etag), "changed meanwhile").toEqual({
        outcome: "exists",
      });
      expect(emulator.objects("events").get("k")?.body.toString()).toBe("new");
    });

    it("learns once that a server wants it without", async () => {
      const emulator = await emulated({ bareEtags: true });
      const store = open({ endpoint: emulator.endpoint });
      await store.putIfAbsent("k", body);
      let { etag } = (await store.get("k"))!;
      emulator.requests.length = 0;
      for (const text of ["one", "two", "three"]) {
        const outcome = await store.replaceIfMatch("k", Buffer.from(text), etag);
        if (outcome.outcome !== "stored") throw new Error(outcome.outcome);
        ({ etag } = outcome);
      }
      expect(sent(emulator)).toEqual(["PUT 412", "HEAD 200", "PUT 200", "PUT 200", "PUT 200"]);
      expect(emulator.objects("events").get("k")?.body.toString()).toBe("three");
    });

    it("a lost race is not mistaken for such a server", async () => {
      const emulator = await emulated({ bareEtags: true });
      const store = open({ endpoint: emulator.endpoint });
      await store.putIfAbsent("k", body);
      const { etag } = (await store.get("k"))!;
      emulator.objects("events").put("k", Buffer.from("another's"));
      emulator.requests.length = 0;
      expect(await store.replaceIfMatch("k", Buffer.from("mine"), etag)).toEqual({ outcome: "exists" });
      expect(sent(emulator)).toEqual(["PUT 412", "HEAD 200"]);
    });

    it("is unknown, though not stored, when the second look fails", async () => {
      const { endpoint, seen } = await scripted([s3Error(412, "PreconditionFailed"), answer(503)]);
      expect(await open({ endpoint }).replaceIfMatch("k", body, '"e"')).toMatchObject({ outcome: "unknown" });
      expect(seen.map(({ method }) => method)).toEqual(["PUT", "HEAD"]);
    });
  });

  it("a wrong clock is corrected once the server complains, for writes too", async () => {
    const hour = 3_600_000;
    const emulator = await emulated({ now: () => Date.now() + (lean ? 2 : -2) * hour });
    const store = open({ endpoint: emulator.endpoint });
    expect(store.clockSkewMs).toBeUndefined();
    expect(await store.putIfAbsent("k", body)).toMatchObject({ outcome: "stored" });
    expect(sent(emulator)).toEqual(["PUT 403", "PUT 200"]);
    expect((store.clockSkewMs ?? 0) / hour).toBeCloseTo(lean ? 2 : -2, 2);
    await store.get("k");
    expect(sent(emulator), "the correction stays").toEqual(["PUT 403", "PUT 200", "GET 200"]);
  });

  it("a clock that no correction helps is said to be wrong", async () => {
    const { endpoint, seen } = await scripted([
      s3Error(403, "RequestTimeTooSkewed", { date: "Thu, 01 Jan 2015 00:00:00 GMT" }),
    ]);
    await expect(open({ endpoint }).putIfAbsent("k", body)).rejects.toMatchObject({
      code: "REQUEST_REFUSED",
      hint: like("clock"),
    });
    expect(seen).toHaveLength(2);
  });

  it("no error ever shows a secret, not even one that the server echoes", async () => {
    const credentials = { accessKeyId: "AKID", secretAccessKey: SECRET, sessionToken: TOKEN };
    const echo = `<Error><Code>SignatureDoesNotMatch</Code><Message>no: ${SECRET} ${TOKEN}</Message><StringToSign>${SECRET}</StringToSign></Error>`;
    const scripts = [
      answer(403, echo),
      answer(400, echo.replace("SignatureDoesNotMatch", "Odd")),
      answer(500, echo),
      s3Error(301, "PermanentRedirect"),
    ];
    for (const script of scripts) {
      const { endpoint } = await scripted([script]);
      const store = open({ endpoint, ...credentials, ...fakeTime(), retryDeadlineMs: 10 });
      const errors: unknown[] = [];
      for (const call of [
        () => store.putIfAbsent("k", body),
        () => store.get("k"),
        () => store.list({ prefix: "p" }),
        () => store.delete("k"),
      ]) {
        errors.push(await call().catch((error: unknown) => error));
      }
      const shown = errors
        .map(
          (error) => `${JSON.stringify(error)} ${(error as Error).message}${lean ? inspect(error, { depth: 9 }) : ""}`,
        )
        .join("\n");
      expect(shown).toContain("events");
      expect(shown).not.toContain("hush");
    }
  });
});

describe("the lean driver's credentials", () => {
  const EXPIRED = s3Error(400, "ExpiredToken");

  it("expired ones are replaced once, and the request sent again", async () => {
    const { endpoint, seen } = await scripted([EXPIRED, STORED, OBJECT]);
    let asked = 0;
    const store = openS3Objects({
      bucket: "events",
      endpoint,
      credentials: async () => ({
        accessKeyId: `key-${++asked}`,
        secretAccessKey: "s",
        sessionToken: `token-${asked}`,
      }),
    });
    onTestFinished(() => store.close());
    expect(await store.putIfAbsent("k", body)).toMatchObject({ outcome: "stored" });
    await store.get("k");
    expect(seen.map(({ headers }) => headers["x-amz-security-token"])).toEqual(["token-1", "token-2", "token-2"]);
    expect(seen[1]?.headers.authorization).toContain("Credential=key-2/");
  });

  it("fixed ones that have expired are an error at once", async () => {
    const { endpoint, seen } = await scripted([EXPIRED]);
    await expect(DRIVERS["lean"]!({ endpoint, sessionToken: TOKEN }).putIfAbsent("k", body)).rejects.toMatchObject({
      code: "ACCESS_DENIED",
      hint: like("new credentials"),
    });
    expect(seen).toHaveLength(1);
  });

  it("none at all: says so, and sends nothing", async () => {
    const { endpoint, seen } = await scripted([STORED]);
    const none = Object.assign(new Error("Could not load credentials from any providers"), {
      name: "CredentialsProviderError",
    });
    const store = openS3Objects({ bucket: "events", endpoint, credentials: () => Promise.reject(none) });
    const error = { code: "ACCESS_DENIED", message: like("no credentials"), hint: like("AWS_ACCESS_KEY_ID") };
    await expect(store.get("k")).rejects.toMatchObject(error);
    await expect(store.putIfAbsent("k", body)).rejects.toMatchObject(error);
    expect(seen).toEqual([]);
    await store.close();
  });

  it("a token service that fails is passing trouble: a write was not sent, a read tries again", async () => {
    const { endpoint, seen } = await scripted([OBJECT]);
    let failures = 2;
    const store = openS3Objects({
      bucket: "events",
      endpoint,
      ...fakeTime(),
      credentials: async () => {
        if (failures-- > 0) throw new Error("sts is down");
        return { accessKeyId: "id", secretAccessKey: "s" };
      },
    });
    onTestFinished(() => store.close());
    expect(await store.putIfAbsent("k", body)).toMatchObject({ outcome: "unknown", sent: false });
    expect(seen).toEqual([]);
    expect(await store.get("k")).not.toBeNull();
  });
});

describe("who a store is", () => {
  const identity = (options: object) =>
    openS3Objects({ bucket: "events", accessKeyId: "id", secretAccessKey: "s", ...options }).identity;

  it("names server and bucket, and nothing secret", () => {
    expect(identity({})).toBe("s3://events");
    expect(identity({ endpoint: "http://127.0.0.1:9000" })).toBe("http://127.0.0.1:9000/events");
    expect(identity({ endpoint: "https://storage.example", forcePathStyle: false })).toBe(
      "https://events.storage.example",
    );
  });

  it("carries the note about an assumed scheme", () => {
    const options = { bucket: "events", accessKeyId: "id", secretAccessKey: "s" };
    expect(openS3Objects({ ...options, endpoint: "minio:9000" }).note).toContain("http://minio:9000");
    expect(openS3Objects(options).note).toBeUndefined();
  });
});
