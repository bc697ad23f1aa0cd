import { describe, expect, it } from "vitest";
import { ConfigError } from "../../../src/core/errors.js";
import { locateBucket, type BucketAddress } from "../../../src/objects/s3/endpoint.js";

function located(address: Partial<BucketAddress>): {
  origin: string;
  basePath: string;
  region: string;
  note: string | undefined;
} {
  const { origin, basePath, region, note } = locateBucket({ bucket: "events", ...address });
  return { origin, basePath, region, note };
}

function refusal(address: Partial<BucketAddress>): ConfigError {
  try {
    locateBucket({ bucket: "events", ...address });
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error(`taken: ${JSON.stringify(address)}`);
}

describe("where a bucket is", () => {
  const cases: readonly (readonly [Partial<BucketAddress>, string, string])[] = [
    [{}, "https://events.s3.us-east-1.amazonaws.com", ""],
    [{ endpoint: "" }, "https://events.s3.us-east-1.amazonaws.com", ""],
    [{ endpoint: "  ", region: "" }, "https://events.s3.us-east-1.amazonaws.com", ""],
    [{ region: "eu-central-1" }, "https://events.s3.eu-central-1.amazonaws.com", ""],
    [{ region: "cn-north-1" }, "https://events.s3.cn-north-1.amazonaws.com.cn", ""],
    [{ bucket: "my.events" }, "https://s3.us-east-1.amazonaws.com", "/my.events"],
    [{ forcePathStyle: true }, "https://s3.us-east-1.amazonaws.com", "/events"],
    [{ endpoint: "https://s3.eu-west-1.amazonaws.com" }, "https://events.s3.eu-west-1.amazonaws.com", ""],
    [{ endpoint: "s3.eu-west-1.amazonaws.com" }, "https://events.s3.eu-west-1.amazonaws.com", ""],
    [{ endpoint: "https://events.s3.eu-west-1.amazonaws.com" }, "https://events.s3.eu-west-1.amazonaws.com", ""],
    [{ endpoint: "http://127.0.0.1:9000" }, "http://127.0.0.1:9000", "/events"],
    [{ endpoint: "http://127.0.0.1:9000/" }, "http://127.0.0.1:9000", "/events"],
    [{ endpoint: "HTTPS://Storage.Example.com" }, "https://storage.example.com", "/events"],
    [{ endpoint: "http://[::1]:9000" }, "http://[::1]:9000", "/events"],
    [{ endpoint: "https://storage.example.com", forcePathStyle: false }, "https://events.storage.example.com", ""],
    [
      { endpoint: "minio-service.rynxs.svc.cluster.local:9000" },
      "http://minio-service.rynxs.svc.cluster.local:9000",
      "/events",
    ],
    [{ endpoint: "localhost:9000" }, "http://localhost:9000", "/events"],
    [{ endpoint: "minio" }, "http://minio", "/events"],
    [{ endpoint: "storage.example.com:443" }, "https://storage.example.com", "/events"],
    [{ endpoint: "https://notamazonaws.com" }, "https://notamazonaws.com", "/events"],
    [{ endpoint: "http://127.0.0.1:9000", bucket: "Old_Bucket" }, "http://127.0.0.1:9000", "/Old_Bucket"],
  ];
  it.each(cases)("%j", (address, origin, basePath) => {
    expect(located(address)).toMatchObject({ origin, basePath });
  });

  it("takes the region from the option, else from AWS's host name, else us-east-1", () => {
    expect(located({ region: "auto", endpoint: "https://r2.example.com" }).region).toBe("auto");
    expect(located({ endpoint: "https://s3.eu-west-1.amazonaws.com" }).region).toBe("eu-west-1");
    expect(located({ endpoint: "https://s3.dualstack.ap-southeast-2.amazonaws.com" }).region).toBe("ap-southeast-2");
    expect(located({ endpoint: "https://storage.example.com" }).region).toBe("us-east-1");
  });

  it("says so when it had to assume a scheme, and only then", () => {
    expect(located({ endpoint: "minio:9000" }).note).toBe(
      "the endpoint minio:9000 has no scheme: http://minio:9000 is used",
    );
    expect(located({ endpoint: "example.com:443" }).note).toContain("https://example.com is used");
    expect(located({ endpoint: "http://minio:9000" }).note).toBeUndefined();
    expect(located({}).note).toBeUndefined();
  });
});

describe("what is no endpoint", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["s3://events", /s3:\/\/ is neither/],
    ["ftp://host", /ftp:\/\/ is neither/],
    ["http://", /no host name/],
    ["http://host:port", /no host name/],
    [":9000", /no host name/],
    ["http://ho st", /no host name/],
    ["http://host\\x", /no host name/],
    ["9000", /a number is no host name/],
    ["http://host:9000/events", /it has a path/],
    ["host:9000/events/", /it has a path/],
    ["http:host", /it has a path|no host name/],
    ["http://host?x=1", /it has a query/],
    ["http://host#x", /it has a query/],
    ["http://me:hunter2@host", /user name or password/],
    ["me:hunter2@host:9000", /user name or password/],
    ["http://@host", /user name or password/],
  ];
  it.each(cases)("%s", (endpoint, problem) => {
    const error = refusal({ endpoint });
    expect(error.code).toBe("INVALID_CONFIG");
    expect(error.message).toMatch(problem);
    expect(error.hint).toContain("https://minio.example.com:9000");
    expect(error.message).not.toContain("hunter2");
  });
});

describe("what is no bucket or region", () => {
  const cases: readonly (readonly [Partial<BucketAddress>, RegExp])[] = [
    [{ bucket: "" }, /empty/],
    [{ bucket: "s3://events/prefix" }, /has a slash/],
    [{ bucket: "arn:aws:s3:::events" }, /is an ARN/],
    [{ bucket: "fast--use1-az4--x-s3" }, /directory bucket/],
    [{ bucket: "ab" }, /3 to 63/],
    [{ bucket: "Events" }, /3 to 63/],
    [{ bucket: "a..b" }, /not a bucket name/],
    [{ bucket: "192.168.0.1" }, /IP address/],
    [{ bucket: "-events" }, /not a bucket name/],
    [{ bucket: "a b c", endpoint: "http://host" }, /at least 3/],
    [{ bucket: "ev?nts", endpoint: "http://host" }, /at least 3/],
    [{ region: "eu central" }, /not a region/],
    [{ region: "evil.com/" }, /not a region/],
  ];
  it.each(cases)("%j", (address, problem) => {
    const error = refusal(address);
    expect(error.message).toMatch(problem);
    expect(error.hint).toBeTruthy();
  });
});
