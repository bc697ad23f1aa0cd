import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startS3Emulator, type S3Emulator } from "../../src/testing/s3-emulator/index.js";
import type { S3Request } from "../../src/testing/s3-emulator/answer.js";
import { verifySignature } from "../../src/testing/s3-emulator/signature.js";
import { codeOf, rawS3, type RawRequest } from "./raw-s3.js";

describe("the examples of AWS's documentation", () => {
  const credentials = {
    accessKeyId: "AKIAIOSFODNN7EXAMPLE",
    secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  };
  const now = Date.UTC(2013, 4, 24);
  const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  const host = "examplebucket.s3.amazonaws.com";

  function example(
    method: string,
    rawPath: string,
    rawQuery: string,
    headers: Record<string, string>,
    signature: string,
  ): S3Request {
    const signed = { host, "x-amz-date": "20130524T000000Z", ...headers };
    const authorization =
      "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request," +
      `SignedHeaders=${Object.keys(signed).sort().join(";")},Signature=${signature}`;
    const all = new Map(Object.entries({ ...signed, authorization }));
    return {
      method,
      rawPath,
      rawQuery,
      query: new URLSearchParams(rawQuery),
      headers: all,
      body: Buffer.alloc(0),
      bucket: "",
      key: "",
    };
  }

  const get = example(
    "GET",
    "/test.txt",
    "",
    { range: "bytes=0-9", "x-amz-content-sha256": empty },
    "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
  );
  const put = example(
    "PUT",
    "/test$file.text",
    "",
    {
      date: "Fri, 24 May 2013 00:00:00 GMT",
      "x-amz-storage-class": "REDUCED_REDUNDANCY",
      "x-amz-content-sha256": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
    },
    "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
  );
  const lifecycle = example(
    "GET",
    "/",
    "lifecycle",
    { "x-amz-content-sha256": empty },
    "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
  );
  const list = example(
    "GET",
    "/",
    "max-keys=2&prefix=J",
    { "x-amz-content-sha256": empty },
    "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
  );

  it.each([
    ["GET object", get],
    ["PUT object", put],
    ["GET lifecycle", lifecycle],
    ["GET list", list],
  ])("%s", (_, request) => {
    expect(verifySignature(request, { credentials, now })).toBeNull();
    const wrong = { ...credentials, secretAccessKey: "wrong" };
    const refused = verifySignature(request, { credentials: wrong, now });
    expect(refused?.status).toBe(403);
    expect(refused?.body.toString()).toContain("<Code>SignatureDoesNotMatch</Code>");
  });
});

describe("a request's signature", () => {
  let emulator: S3Emulator;
  beforeEach(async () => {
    emulator = await startS3Emulator({ region: "us-east-1" });
  });
  afterEach(() => emulator.close());

  const put: RawRequest = { method: "PUT", path: "/events/a%20b", body: "{}", headers: { "x-amz-meta-put-id": "1" } };
  const list: RawRequest = { path: "/events", query: "list-type=2&prefix=a%20%2B" };

  it("is good with any escaping of the same path and query", async () => {
    expect((await rawS3(emulator.endpoint, put)).status).toBe(200);
    expect((await rawS3(emulator.endpoint, list)).status).toBe(200);
    const sent = { path: "/%65vents", query: "prefix=a+%2b&list-type=2" };
    expect((await rawS3(emulator.endpoint, { ...list, then: sent })).status).toBe(200);
  });

  it.each<[string, number, string, RawRequest]>([
    ["no signature", 403, "AccessDenied", { ...put, then: { headers: { authorization: null } } }],
    [
      "an unknown key",
      403,
      "InvalidAccessKeyId",
      { ...put, credentials: { accessKeyId: "other", secretAccessKey: "testsecret" } },
    ],
    [
      "a wrong secret",
      403,
      "SignatureDoesNotMatch",
      { ...put, credentials: { accessKeyId: "test", secretAccessKey: "wrong" } },
    ],
    [
      "another scheme",
      400,
      "AuthorizationHeaderMalformed",
      { ...put, then: { headers: { authorization: "AWS test:abc" } } },
    ],
    ["another region", 400, "AuthorizationHeaderMalformed", { ...put, region: "eu-west-1" }],
    ["a changed path", 403, "SignatureDoesNotMatch", { ...put, then: { path: "/events/b" } }],
    ["a changed query", 403, "SignatureDoesNotMatch", { ...list, then: { query: "list-type=2&prefix=b" } }],
    ["a changed header", 403, "SignatureDoesNotMatch", { ...put, then: { headers: { "x-amz-meta-put-id": "2" } } }],
    ["an unsigned header", 403, "AccessDenied", { ...put, then: { headers: { "x-amz-acl": "public-read" } } }],
    ["a changed body", 400, "XAmzContentSHA256Mismatch", { ...put, then: { body: "[]" } }],
    ["an unknown kind of body", 501, "NotImplemented", { ...put, bodyHash: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" }],
    ["no date", 403, "AccessDenied", { ...put, then: { headers: { "x-amz-date": null } } }],
    [
      "an unexpected session token",
      400,
      "InvalidToken",
      { ...put, credentials: { accessKeyId: "test", secretAccessKey: "testsecret", sessionToken: "t" } },
    ],
  ])("is refused with %s", async (_, status, code, request) => {
    const answer = await rawS3(emulator.endpoint, request);
    expect([answer.status, codeOf(answer)]).toEqual([status, code]);
    expect(emulator.objects("events").keys()).toEqual([]);
  });

  it("names the region that it wants", async () => {
    const { body } = await rawS3(emulator.endpoint, { ...put, region: "eu-west-1" });
    expect(body).toContain("<Region>us-east-1</Region>");
  });

  it("may be 15 minutes off the server's clock, no more", async () => {
    const minutes = 60_000;
    const clock = Date.UTC(2030, 0, 1);
    const ahead = await startS3Emulator({ now: () => clock });
    for (const off of [-14.9, 0, 14.9]) {
      const answer = await rawS3(ahead.endpoint, { ...put, at: clock + off * minutes });
      expect(answer.status).toBe(200);
      expect(answer.headers["date"]).toBe("Tue, 01 Jan 2030 00:00:00 GMT");
    }
    for (const off of [-15.1, 15.1]) {
      const answer = await rawS3(ahead.endpoint, { ...put, at: clock + off * minutes });
      expect([answer.status, codeOf(answer)]).toEqual([403, "RequestTimeTooSkewed"]);
      expect(answer.headers["date"]).toBe("Tue, 01 Jan 2030 00:00:00 GMT");
    }
    await ahead.close();
  });

  it("needs the session token of temporary credentials, and the new pair after a rotation", async () => {
    const temporary = { accessKeyId: "ASIA", secretAccessKey: "s", sessionToken: "tok/en+==" };
    emulator.credentials = temporary;
    expect((await rawS3(emulator.endpoint, { ...put, credentials: temporary })).status).toBe(200);
    const other = await rawS3(emulator.endpoint, { ...put, credentials: { ...temporary, sessionToken: "old" } });
    expect([other.status, codeOf(other)]).toEqual([400, "InvalidToken"]);
    const none = await rawS3(emulator.endpoint, { ...put, credentials: { accessKeyId: "ASIA", secretAccessKey: "s" } });
    expect([none.status, codeOf(none)]).toEqual([403, "AccessDenied"]);
    expect((await rawS3(emulator.endpoint, put)).status).toBe(403);
  });
});
