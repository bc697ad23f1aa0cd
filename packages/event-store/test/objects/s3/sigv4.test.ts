import { S3Client, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { describe, expect, it } from "vitest";
import { amzTime, EMPTY_SHA256, sha256Hex, SigV4, type UnsignedRequest } from "../../../src/objects/s3/sigv4.js";
import { decodeListed, encodeComponent, encodePath } from "../../../src/objects/s3/uri.js";

/** The worked examples of AWS's "Signature Calculations for the Authorization Header". */
const DOCS = { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" };
const DOCS_TIME = Date.parse("2013-05-24T00:00:00Z");
const HOST = ["host", "examplebucket.s3.amazonaws.com"] as const;

function header(flat: readonly string[], name: string): string | undefined {
  const at = flat.findIndex((each, i) => i % 2 === 0 && each === name);
  return at === -1 ? undefined : flat[at + 1];
}

function signature(request: UnsignedRequest): string | undefined {
  return /Signature=(\w+)$/.exec(
    header(new SigV4("us-east-1").sign(request, DOCS, DOCS_TIME), "authorization") ?? "",
  )?.[1];
}

describe("published examples", () => {
  it("get an object", () => {
    const request = {
      method: "GET",
      path: "/test.txt",
      query: "",
      headers: [HOST, ["range", "bytes=0-9"]],
      bodyHash: EMPTY_SHA256,
    } as const;
    expect(signature(request)).toBe("f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  });

  it("put an object", () => {
    const headers = [
      HOST,
      ["date", "Fri, 24 May 2013 00:00:00 GMT"],
      ["x-amz-storage-class", "REDUCED_REDUNDANCY"],
    ] as const;
    const request = {
      method: "PUT",
      path: encodePath("/test$file.text"),
      query: "",
      headers,
      bodyHash: sha256Hex("Welcome to Amazon S3."),
    };
    expect(signature(request)).toBe("98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
  });

  it("list objects", () => {
    const request = { method: "GET", path: "/", query: "max-keys=2&prefix=J", headers: [HOST], bodyHash: EMPTY_SHA256 };
    expect(signature(request)).toBe("34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
  });
});

/** What the SDK's own client puts on the wire, caught before it gets there. */
async function signedBySdk(send: (client: S3Client) => Promise<unknown>): Promise<Caught> {
  let caught: Caught | undefined;
  const client = new S3Client({
    region: "eu-central-1",
    endpoint: "http://storage.example:9000",
    forcePathStyle: true,
    credentials: { ...DOCS, sessionToken: "a/token+=" },
    requestHandler: {
      handle: (request: Caught) => {
        caught = request;
        return Promise.reject(new Error("caught"));
      },
    },
    maxAttempts: 1,
  });
  await expect(send(client)).rejects.toThrow("caught");
  return caught!;
}

interface Caught {
  readonly method: string;
  readonly path: string;
  readonly query: Record<string, string>;
  readonly headers: Record<string, string>;
}

const ODD_KEY = "a b/+%/ünï-\u{1f600}/.././/(x)*!'~\u0001&=?#";

describe("the same signature as the SDK's", () => {
  const cases: Readonly<Record<string, (client: S3Client) => Promise<unknown>>> = {
    get: (client) => client.send(new GetObjectCommand({ Bucket: "bucket", Key: ODD_KEY, Range: "bytes=1-2" })),
    put: (client) =>
      client.send(
        new PutObjectCommand({ Bucket: "bucket", Key: ODD_KEY, Body: "x", IfNoneMatch: "*", Metadata: { a: "b   c" } }),
      ),
    list: (client) =>
      client.send(
        new ListObjectsV2Command({ Bucket: "bucket", Prefix: ODD_KEY, StartAfter: "ä +%", EncodingType: "url" }),
      ),
  };
  it.each(Object.entries(cases))("%s", async (_, send) => {
    const { method, path, query, headers } = await signedBySdk(send);
    const theirs = headers["authorization"]!;
    const signed = /SignedHeaders=([^,]+)/.exec(theirs)![1]!.split(";");
    const own = new Set(["x-amz-date", "x-amz-security-token", "x-amz-content-sha256"]);
    const time = headers["x-amz-date"]!.replace(/(....)(..)(..)T(..)(..)(..)Z/, "$1-$2-$3T$4:$5:$6Z");
    const flat = new SigV4("eu-central-1").sign(
      {
        method,
        path,
        query: Object.keys(query)
          .sort()
          .map((name) => `${encodeComponent(name)}=${encodeComponent(query[name]!)}`)
          .join("&"),
        headers: signed.filter((name) => !own.has(name)).map((name) => [name, headers[name]!] as const),
        bodyHash: headers["x-amz-content-sha256"]!,
      },
      { ...DOCS, sessionToken: "a/token+=" },
      Date.parse(time),
    );
    expect(header(flat, "authorization")).toBe(theirs);
    expect(header(flat, "x-amz-security-token")).toBe("a/token+=");
    if (method !== "GET" || !("prefix" in query)) expect(path).toBe(`/bucket/${encodePath(ODD_KEY)}`);
  });
});

describe("signing", () => {
  const plain = { method: "GET", path: "/", query: "", headers: [HOST], bodyHash: EMPTY_SHA256 } as const;

  it("takes a new key for a new day, and for another secret", () => {
    const signer = new SigV4("us-east-1");
    const at = (credentials: typeof DOCS, ms: number) => header(signer.sign(plain, credentials, ms), "authorization");
    const fresh = (credentials: typeof DOCS, ms: number) =>
      header(new SigV4("us-east-1").sign(plain, credentials, ms), "authorization");
    const other = { ...DOCS, secretAccessKey: "other" };
    const nextDay = DOCS_TIME + 86_400_000;
    expect([at(DOCS, DOCS_TIME), at(DOCS, nextDay), at(other, nextDay), at(DOCS, nextDay)]).toEqual([
      fresh(DOCS, DOCS_TIME),
      fresh(DOCS, nextDay),
      fresh(other, nextDay),
      fresh(DOCS, nextDay),
    ]);
    expect(at(DOCS, nextDay)).not.toBe(at(other, nextDay));
  });

  it("writes the time in AWS's form", () => {
    expect(amzTime(Date.parse("2026-01-02T03:04:05.678Z"))).toBe("20260102T030405Z");
  });
});

describe("escaping", () => {
  it("escapes every byte but the unreserved ones, and keeps slashes in paths", () => {
    expect(encodeComponent("AZaz09-._~")).toBe("AZaz09-._~");
    expect(encodeComponent("/ +%!'()*")).toBe("%2F%20%2B%25%21%27%28%29%2A");
    expect(encodePath("a//b/../ü \u{1f600}")).toBe("a//b/../%C3%BC%20%F0%9F%98%80");
  });

  it("reads listed keys of servers that write a space as + or as %20", () => {
    expect(decodeListed("a+b%20c%2Bd/e%C3%BC")).toBe("a b c+d/eü");
    expect(decodeListed("plain/key")).toBe("plain/key");
    expect(decodeListed("bad%zz")).toBeNull();
    expect(decodeListed("bad%ff")).toBeNull();
  });
});
