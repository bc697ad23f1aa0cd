import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FAULTS, startS3Emulator, type Fault, type S3Emulator } from "../../src/testing/s3-emulator/index.js";
import { codeOf, rawS3, type RawAnswer, type RawRequest } from "./raw-s3.js";

let emulator: S3Emulator;
beforeEach(async () => {
  emulator = await startS3Emulator();
});
afterEach(() => emulator.close());

const send = (request: RawRequest): Promise<RawAnswer> => rawS3(emulator.endpoint, request);
const put = (key: string, body: string, headers: Record<string, string> = {}): Promise<RawAnswer> =>
  send({ method: "PUT", path: `/events/${key}`, body, headers });

/** Status and code of an answer. */
function said(answer: RawAnswer): [number, string | undefined] {
  return [answer.status, codeOf(answer)];
}

/** What the client hears: a status, or the code of the connection's error. */
async function heard(request: RawRequest): Promise<number | string> {
  try {
    return (await send(request)).status;
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

describe("objects", () => {
  it("are put, read, examined and deleted", async () => {
    const stored = await put("a", "hello", { "x-amz-meta-put-id": "7", "content-type": "text/plain" });
    expect(said(stored)).toEqual([200, undefined]);
    expect(stored.headers["etag"]).toBe('"5d41402abc4b2a76b9719d911017c592"');
    const facts = {
      etag: '"5d41402abc4b2a76b9719d911017c592"',
      "x-amz-meta-put-id": "7",
      "content-type": "text/plain",
      "content-length": "5",
    };
    const got = await send({ path: "/events/a" });
    expect(got).toMatchObject({ status: 200, body: "hello", headers: facts });
    expect(await send({ method: "HEAD", path: "/events/a" })).toMatchObject({ status: 200, body: "", headers: facts });
    expect(said(await send({ method: "DELETE", path: "/events/a" }))).toEqual([204, undefined]);
    expect(said(await send({ method: "DELETE", path: "/events/a" }))).toEqual([204, undefined]);
    expect(said(await send({ path: "/events/a" }))).toEqual([404, "NoSuchKey"]);
    expect(await send({ method: "HEAD", path: "/events/a" })).toMatchObject({ status: 404, body: "" });
  });

  it("have a storage class, and cannot be read in an archive until they are restored", async () => {
    await put("a", "old", { "x-amz-storage-class": "GLACIER" });
    await put("b", "new");
    const restore = (key: string, body = "<RestoreRequest><Days>2</Days></RestoreRequest>"): Promise<RawAnswer> =>
      send({ method: "POST", path: `/events/${key}`, query: "restore=", body });
    const head = async (key: string): Promise<unknown[]> => {
      const { status, headers } = await send({ method: "HEAD", path: `/events/${key}` });
      return [status, headers["x-amz-storage-class"], headers["x-amz-restore"]];
    };
    expect(await head("b")).toEqual([200, undefined, undefined]);
    expect(await head("a")).toEqual([200, "GLACIER", undefined]);
    expect(said(await send({ path: "/events/a" }))).toEqual([403, "InvalidObjectState"]);
    expect(said(await restore("b"))).toEqual([403, "InvalidObjectState"]);
    expect(said(await restore("c"))).toEqual([404, "NoSuchKey"]);
    expect(said(await restore("a", "<RestoreRequest/>"))).toEqual([400, "MalformedXML"]);
    expect(said(await restore("a"))).toEqual([202, undefined]);
    expect(said(await restore("a"))).toEqual([409, "RestoreAlreadyInProgress"]);
    expect(await head("a")).toEqual([200, "GLACIER", 'ongoing-request="true"']);
    expect(said(await send({ path: "/events/a" }))).toEqual([403, "InvalidObjectState"]);
    expect(emulator.completeRestores("events")).toBe(1);
    expect(await head("a")).toEqual([200, "GLACIER", expect.stringMatching(/^ongoing-request="false", expiry-date="/)]);
    expect((await send({ path: "/events/a" })).body).toBe("old");
    expect(said(await restore("a"))).toEqual([200, undefined]);
    expect((await send({ path: "/events", query: "list-type=2" })).body).toMatch(
      /<StorageClass>GLACIER<.*<StorageClass>STANDARD</,
    );
  });

  it("have lifecycle rules, which need a digest and must be whole", async () => {
    const rules = (method: string, body = "", headers: Record<string, string> = {}): Promise<RawAnswer> =>
      send({ method, path: "/events", query: "lifecycle=", body, headers });
    const md5 = (body: string): Record<string, string> => ({
      "content-md5": createHash("md5").update(body).digest("base64"),
    });
    const rule = (id: string, days: number): string =>
      `<Rule><ID>${id}</ID><Filter/><Status>Enabled</Status><Transition><Days>${String(days)}</Days><StorageClass>STANDARD_IA</StorageClass></Transition></Rule>`;
    const set = (inner: string): Promise<RawAnswer> => {
      const body = `<LifecycleConfiguration>${inner}</LifecycleConfiguration>`;
      return rules("PUT", body, md5(body));
    };
    expect(said(await rules("GET"))).toEqual([404, "NoSuchLifecycleConfiguration"]);
    expect(said(await rules("PUT", "<x/>"))).toEqual([400, "InvalidRequest"]);
    expect(said(await set(""))).toEqual([400, "MalformedXML"]);
    expect(said(await set("<Rule><ID>a</ID></Rule>"))).toEqual([400, "MalformedXML"]);
    expect(said(await set(rule("a", 29)))).toEqual([400, "InvalidArgument"]);
    expect(said(await set(rule("a", 30) + rule("a", 31)))).toEqual([400, "InvalidArgument"]);
    expect(said(await set(rule("a", 30)))).toEqual([200, undefined]);
    expect(await rules("GET")).toMatchObject({
      status: 200,
      body: `<LifecycleConfiguration>${rule("a", 30)}</LifecycleConfiguration>`,
      headers: { "x-amz-transition-default-minimum-object-size": "all_storage_classes_128K" },
    });
    expect(said(await rules("DELETE"))).toEqual([204, undefined]);
    expect(said(await rules("GET"))).toEqual([404, "NoSuchLifecycleConfiguration"]);
  });

  it("are written under conditions", async () => {
    const etag = String((await put("a", "one", { "if-none-match": "*" })).headers["etag"]);
    expect(said(await put("a", "two", { "if-none-match": "*" }))).toEqual([412, "PreconditionFailed"]);
    expect(said(await put("a", "two", { "if-none-match": etag }))).toEqual([501, "NotImplemented"]);
    expect(said(await put("a", "two", { "if-match": '"0"' }))).toEqual([412, "PreconditionFailed"]);
    expect(said(await put("b", "two", { "if-match": etag }))).toEqual([404, "NoSuchKey"]);
    expect(emulator.objects("events").get("a")?.body.toString()).toBe("one");
    expect(said(await put("a", "two", { "if-match": etag }))).toEqual([200, undefined]);
    expect(emulator.objects("events").get("a")?.body.toString()).toBe("two");
  });

  it.each([
    ["bytes=0-2", 206, "012", "bytes 0-2/10"],
    ["bytes=7-", 206, "789", "bytes 7-9/10"],
    ["bytes=7-99", 206, "789", "bytes 7-9/10"],
    ["bytes=-3", 206, "789", "bytes 7-9/10"],
    ["bytes=-99", 206, "0123456789", "bytes 0-9/10"],
    ["bytes=5-4", 200, "0123456789", undefined],
    ["bytes=x", 200, "0123456789", undefined],
  ])("are read in part: %s", async (range, status, body, contentRange) => {
    await put("a", "0123456789");
    const answer = await send({ path: "/events/a", headers: { range } });
    expect([answer.status, answer.body, answer.headers["content-range"]]).toEqual([status, body, contentRange]);
  });

  it("say when a range lies behind their end", async () => {
    await put("a", "0123456789");
    const answer = await send({ path: "/events/a", headers: { range: "bytes=10-" } });
    expect(said(answer)).toEqual([416, "InvalidRange"]);
    expect(answer.headers["content-range"]).toBe("bytes */10");
  });

  it("are found by host name as by path", async () => {
    await put("a%2Fb", "path");
    for (const host of [
      "events.localhost",
      "events.localhost:9000",
      "events.s3.eu-west-1.amazonaws.com",
      "events.example.org",
    ]) {
      expect(await send({ path: "/a/b", headers: { host } })).toMatchObject({ status: 200, body: "path" });
    }
    expect(said(await send({ path: "/a/b", headers: { host: "other.localhost" } }))).toEqual([404, "NoSuchBucket"]);
    expect(await send({ path: "/events/a/b", headers: { host: "localhost:1" } })).toMatchObject({ body: "path" });
  });

  it("can be looked at and tampered with", async () => {
    await put("a", "true");
    emulator.objects("events").put("a", "false");
    expect((await send({ path: "/events/a" })).body).toBe("false");
    emulator.objects("events").delete("a");
    expect((await send({ path: "/events/a" })).status).toBe(404);
    expect(() => emulator.objects("none")).toThrow("no bucket none");
  });
});

describe("bodies", () => {
  const md5 = (text: string): string => createHash("md5").update(text).digest("base64");
  const crc = (text: string): string => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(crc32(text));
    return bytes.toString("base64");
  };

  it("are compared with the digests that come along", async () => {
    expect(said(await put("a", "x", { "content-md5": md5("x"), "x-amz-checksum-crc32": crc("x") }))).toEqual([
      200,
      undefined,
    ]);
    expect(said(await put("b", "x", { "content-md5": md5("y") }))).toEqual([400, "BadDigest"]);
    expect(said(await put("b", "x", { "content-md5": "abc" }))).toEqual([400, "InvalidDigest"]);
    expect(said(await put("b", "x", { "x-amz-checksum-crc32": crc("y") }))).toEqual([400, "BadDigest"]);
    expect(said(await put("b", "x", { "x-amz-checksum-sha256": crc("x") }))).toEqual([400, "BadDigest"]);
    expect(emulator.objects("events").keys()).toEqual(["a"]);
  });

  it("may be unsigned", async () => {
    const request: RawRequest = { method: "PUT", path: "/events/a", body: "x", bodyHash: "UNSIGNED-PAYLOAD" };
    expect(said(await send(request))).toEqual([200, undefined]);
  });

  const headers = {
    "x-amz-decoded-content-length": "11",
    "x-amz-trailer": "x-amz-checksum-crc32",
    "content-encoding": "aws-chunked",
  };
  const trailer = `x-amz-checksum-crc32:${crc("hello world")}\r\n\r\n`;
  const chunked = (body: string, more: Record<string, string> = {}): Promise<RawAnswer> =>
    send({
      method: "PUT",
      path: "/events/a",
      body,
      bodyHash: "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
      headers: { ...headers, ...more },
    });

  it("may come in chunks with a checksum behind them", async () => {
    expect(said(await chunked(`6\r\nhello \r\n5\r\nworld\r\n0\r\n${trailer}`))).toEqual([200, undefined]);
    expect(emulator.objects("events").get("a")?.body.toString()).toBe("hello world");
  });

  it.each([
    ["BadDigest", `6\r\nhello \r\n5\r\nWORLD\r\n0\r\n${trailer}`],
    ["IncompleteBody", `6\r\nhello \r\n0\r\n${trailer}`],
    ["IncompleteBody", "6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n"],
    ["IncompleteBody", "6\r\nhello \r\n5\r\nwor"],
    ["IncompleteBody", "x\r\nhello"],
    ["IncompleteBody", ""],
  ])("are refused with %s when their chunks are %j", async (code, body) => {
    expect(said(await chunked(body))).toEqual([400, code]);
    expect(emulator.objects("events").size).toBe(0);
  });

  it("need a length", async () => {
    const answer = await send({
      method: "PUT",
      path: "/events/a",
      body: "x",
      then: { headers: { "content-length": null, "transfer-encoding": "chunked" } },
    });
    expect(said(answer)).toEqual([411, "MissingContentLength"]);
  });
});

describe("buckets", () => {
  it("are made and found", async () => {
    expect(said(await send({ path: "/new", query: "list-type=2" }))).toEqual([404, "NoSuchBucket"]);
    expect((await send({ method: "HEAD", path: "/new" })).status).toBe(404);
    expect(said(await send({ method: "PUT", path: "/new" }))).toEqual([200, undefined]);
    expect(said(await send({ method: "PUT", path: "/new" }))).toEqual([409, "BucketAlreadyOwnedByYou"]);
    expect((await send({ method: "HEAD", path: "/new" })).status).toBe(200);
    expect(said(await send({ method: "PUT", path: "/No" }))).toEqual([400, "InvalidBucketName"]);
    expect(said(await send({ method: "PUT", path: "/none/a", body: "x" }))).toEqual([404, "NoSuchBucket"]);
  });

  it.each<RawRequest>([
    { path: "/" },
    { method: "POST", path: "/events", query: "delete=" },
    { method: "DELETE", path: "/events" },
    { method: "PUT", path: "/events/a", headers: { "x-amz-copy-source": "/events/b" } },
    { method: "PUT", path: "/events/a", query: "partNumber=1&uploadId=x" },
    { path: "/events" },
    { path: "/events", query: "delimiter=%2F&list-type=2" },
  ])("say plainly what is not implemented: %j", async (request) => {
    expect(said(await send(request))).toEqual([501, "NotImplemented"]);
  });
});

describe("listings", () => {
  const list = (query: string): Promise<RawAnswer> => send({ path: "/events", query });
  const tags = ({ body }: RawAnswer, name: string): (string | undefined)[] =>
    [...body.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, "g"))].map((match) => match[1]);

  beforeEach(() => {
    for (const key of ["a b", "a+b", "a/<&>", "b\u0001", "é"]) emulator.objects("events").put(key, "12345");
  });

  it("escape keys as XML, or on demand as in URLs", async () => {
    expect(tags(await list("list-type=2"), "Key")).toEqual(["a b", "a+b", "a/&lt;&amp;&gt;", "b&#x1;", "é"]);
    const encoded = await list("encoding-type=url&list-type=2&prefix=a%20");
    expect(tags(encoded, "Key")).toEqual(["a+b"]);
    expect(tags(encoded, "Prefix")).toEqual(["a+"]);
    expect(tags(encoded, "EncodingType")).toEqual(["url"]);
    expect(tags(await list("encoding-type=url&list-type=2"), "Key")).toEqual([
      "a+b",
      "a%2Bb",
      "a/%3C%26%3E",
      "b%01",
      "%C3%A9",
    ]);
    expect(tags(encoded, "Size")).toEqual(["5"]);
  });

  it("go on with a token, which beats start-after", async () => {
    const first = await list("list-type=2&max-keys=2");
    expect([tags(first, "Key"), tags(first, "IsTruncated"), tags(first, "KeyCount")]).toEqual([
      ["a b", "a+b"],
      ["true"],
      ["2"],
    ]);
    const token = encodeURIComponent(tags(first, "NextContinuationToken")[0] ?? "");
    const second = await list(`continuation-token=${token}&list-type=2&max-keys=2&start-after=zzz`);
    expect(tags(second, "Key")).toEqual(["a/&lt;&amp;&gt;", "b&#x1;"]);
    const last = await list("list-type=2&start-after=b%01");
    expect([tags(last, "Key"), tags(last, "IsTruncated"), tags(last, "NextContinuationToken")]).toEqual([
      ["é"],
      ["false"],
      [],
    ]);
  });

  it("have at most 1000 keys, whatever is asked for", async () => {
    for (let i = 0; i < 1001; i++) emulator.objects("events").put(`many/${String(i)}`, "");
    const answer = await list("list-type=2&max-keys=5000&prefix=many%2F");
    expect([tags(answer, "Key").length, tags(answer, "MaxKeys"), tags(answer, "IsTruncated")]).toEqual([
      1000,
      ["1000"],
      ["true"],
    ]);
    const none = await list("list-type=2&max-keys=0");
    expect([tags(none, "Key"), tags(none, "IsTruncated")]).toEqual([[], ["false"]]);
  });

  it.each([
    "list-type=2&max-keys=x",
    "list-type=2&max-keys=-1",
    "encoding-type=base64&list-type=2",
    "continuation-token=x&list-type=2",
  ])("refuse %s", async (query) => {
    expect(said(await list(query))).toEqual([400, "InvalidArgument"]);
  });
});

describe("faults", () => {
  const request: RawRequest = { method: "PUT", path: "/events/a", body: "x", headers: { "if-none-match": "*" } };

  it.each<[string, Fault, number | string, boolean]>([
    ["dropRequest", FAULTS.dropRequest, "ECONNRESET", false],
    ["dropAnswer", FAULTS.dropAnswer, "ECONNRESET", true],
    ["resetBefore", FAULTS.resetBefore, "ECONNRESET", false],
    ["resetAfter", FAULTS.resetAfter, "ECONNRESET", true],
    ["applyLate", FAULTS.applyLate, "ECONNRESET", false],
    ["conflict", FAULTS.conflict, 409, false],
    ["conflictAfterCommit", FAULTS.conflictAfterCommit, 409, true],
    ["internalError", FAULTS.internalError, 500, false],
    ["internalErrorAfterCommit", FAULTS.internalErrorAfterCommit, 500, true],
    ["slowDown", FAULTS.slowDown(), 503, false],
    ["tooManyRequests", FAULTS.tooManyRequests(), 429, false],
    ["accessDenied", FAULTS.accessDenied, 403, false],
    ["noSuchBucket", FAULTS.noSuchBucket, 404, false],
    ["twice", FAULTS.twice, 412, true],
    ["slow", FAULTS.slow(5), 200, true],
    ["truncated", FAULTS.truncated, "ECONNRESET", true],
    ["status", FAULTS.status(507), 507, false],
    ["status after commit", FAULTS.status(502, "BadGateway", "once"), 502, true],
  ])("%s: the client hears what it should, and the object is stored or not", async (_, fault, expected, stored) => {
    emulator.faults.add({ when: {}, do: fault });
    expect(await heard(request)).toBe(expected);
    expect(emulator.objects("events").get("a") !== undefined).toBe(stored);
    expect(emulator.requests).toMatchObject([
      {
        method: "PUT",
        operation: "PUT",
        bucket: "events",
        key: "a",
        fault: fault.name,
        status: typeof expected === "number" ? expected : null,
      },
    ]);
    emulator.faults.assertAllUsed();
    expect(await heard(request)).toBe(stored ? 412 : 200);
  });

  it("say how long to wait", async () => {
    emulator.faults.add({ when: {}, do: FAULTS.slowDown(3) });
    const answer = await send(request);
    expect(said(answer)).toEqual([503, "SlowDown"]);
    expect(answer.headers["retry-after"]).toBe("3");
  });

  it("break an answer off half-way", async () => {
    emulator.objects("events").put("a", "0123456789");
    emulator.faults.add({ when: {}, do: FAULTS.truncated });
    expect(await heard({ path: "/events/a" })).toBe("ECONNRESET");
    expect((await send({ path: "/events/a" })).body).toBe("0123456789");
  });

  it("apply a put late: after another has won, when the test says so", async () => {
    emulator.faults.add({ when: {}, do: FAULTS.applyLate });
    expect(await heard(request)).toBe("ECONNRESET");
    expect(emulator.releaseLate()).toBe(1);
    expect(emulator.objects("events").get("a")?.body.toString()).toBe("x");
    expect(emulator.releaseLate()).toBe(0);
    emulator.faults.add({ when: {}, do: FAULTS.applyLate });
    await heard({ ...request, path: "/events/b" });
    await put("b", "winner", { "if-none-match": "*" });
    emulator.releaseLate();
    expect(emulator.objects("events").get("b")?.body.toString()).toBe("winner");
  });

  it("apply a put late by the clock, as it was authenticated when it came", async () => {
    emulator.faults.add({ when: {}, do: FAULTS.applyLateAfter(1) });
    await heard(request);
    emulator.credentials = { accessKeyId: "rotated", secretAccessKey: "since" };
    await expect.poll(() => emulator.objects("events").get("a")?.body.toString()).toBe("x");
    emulator.faults.add({ when: {}, do: FAULTS.applyLate });
    await heard({ ...request, path: "/events/b" });
    expect(emulator.releaseLate()).toBe(0);
  });

  it.each([[FAULTS.hang, false] as const, [FAULTS.hangAfterCommit, true] as const])(
    "can leave the client waiting: %j",
    async (fault, stored) => {
      emulator.faults.add({ when: {}, do: fault });
      const waiting = heard(request);
      await expect.poll(() => emulator.requests.length).toBe(1);
      expect(emulator.objects("events").size).toBe(stored ? 1 : 0);
      await emulator.close();
      expect(await waiting).toBe("ECONNRESET");
    },
  );

  it("happen to the requests they are meant for, in order, and are accounted for", async () => {
    emulator.faults.add(
      { when: { method: "PUT", key: /^a/ }, do: FAULTS.status(501) },
      { when: { method: "PUT", key: "a" }, do: FAULTS.status(502) },
      { when: { operation: "LIST", nth: 2, count: 2 }, do: FAULTS.status(503) },
      { when: { key: "never" }, do: FAULTS.status(504) },
      { when: { method: "HEAD", count: Infinity }, do: FAULTS.status(505) },
    );
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await put("a", "x")).status);
    expect(statuses).toEqual([501, 502, 200]);
    const lists = [];
    for (let i = 0; i < 4; i++) lists.push((await send({ path: "/events", query: "list-type=2" })).status);
    expect(lists).toEqual([200, 503, 503, 200]);
    expect(emulator.faults.unused().map((rule) => rule.do.name)).toEqual(["status 504", "status 505"]);
    expect((await send({ method: "HEAD", path: "/events/a" })).status).toBe(505);
    expect((await send({ method: "HEAD", path: "/events/a" })).status).toBe(505);
    expect((await send({ path: "/events/a" })).status).toBe(200);
    expect(() => emulator.faults.assertAllUsed()).toThrow("status 504");
    emulator.faults.clear();
    emulator.faults.assertAllUsed();
  });
});

describe("the log of requests", () => {
  it("has them in order, with what was answered", async () => {
    await put("a%20b", "x");
    await send({ path: "/events", query: "list-type=2&prefix=a" });
    await send({ path: "/events/none" });
    expect(emulator.requests).toMatchObject([
      { method: "PUT", operation: "PUT", key: "a b", status: 200, fault: null },
      { method: "GET", operation: "LIST", key: "", query: { "list-type": "2", prefix: "a" }, status: 200 },
      { method: "GET", operation: "GET", key: "none", query: {}, status: 404 },
    ]);
  });
});

describe("quirks", () => {
  it("ignores conditions when told to", async () => {
    const unsafe = await startS3Emulator({ ignoreIfNoneMatch: true, ignoreIfMatch: true });
    for (const condition of [{ "if-none-match": "*" }, { "if-none-match": "*" }, { "if-match": '"0"' }]) {
      const answer = await rawS3(unsafe.endpoint, { method: "PUT", path: "/events/a", body: "x", headers: condition });
      expect(answer.status).toBe(200);
    }
    await unsafe.close();
  });

  it("compares ETags without quotes when told to", async () => {
    const ceph = await startS3Emulator({ bareEtags: true });
    const at = (headers: Record<string, string>, key = "a"): Promise<RawAnswer> =>
      rawS3(ceph.endpoint, { method: "PUT", path: `/events/${key}`, body: "x", headers });
    const etag = String((await at({})).headers["etag"]);
    expect((await at({ "if-match": etag })).status).toBe(412);
    expect((await at({ "if-match": etag.replaceAll('"', "") })).status).toBe(200);
    expect((await at({ "if-match": etag.replaceAll('"', "") }, "missing")).status).toBe(412);
    await ceph.close();
  });
});
