import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseVersions } from "../../../src/objects/s3/object-versions.js";

const page = (inner: string, truncated = "false"): string =>
  `<?xml version="1.0"?><ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><IsTruncated>${truncated}</IsTruncated>${inner}</ListVersionsResult>`;
const version = (key: string, more = ""): string =>
  `<Version><Key>${key}</Key><VersionId>1</VersionId><IsLatest>true</IsLatest><Size>3</Size><ETag>"e"</ETag><Owner><ID>o</ID></Owner>${more}</Version>`;

describe("a page of versions", () => {
  it("is read as servers write it", () => {
    const marker = "<DeleteMarker><Key>a</Key><VersionId>2</VersionId><IsLatest>true</IsLatest></DeleteMarker>";
    expect(parseVersions(page(marker + version("a", "<LastModified>2026-01-02T03:04:05.000Z</LastModified>")))).toEqual(
      {
        versions: [
          { key: "a", versionId: "2", latest: true, deleteMarker: true, size: 0, etag: "" },
          {
            key: "a",
            versionId: "1",
            latest: true,
            deleteMarker: false,
            size: 3,
            etag: '"e"',
            modifiedAt: 1767323045000,
          },
        ],
        next: null,
      },
    );
    const encoded = page(`<EncodingType>url</EncodingType>${version("a+b%2Bc")}`);
    expect(parseVersions(encoded)?.versions[0]?.key).toBe("a b+c");
  });

  it("tells where the next one begins, and is none when it does not", () => {
    const next = "<NextKeyMarker>a</NextKeyMarker><NextVersionIdMarker>1</NextVersionIdMarker>";
    expect(parseVersions(page(version("a") + next, "true"))?.next).toEqual({ key: "a", versionId: "1" });
    expect(parseVersions(page(`${version("a")}<NextKeyMarker>a</NextKeyMarker>`, "true"))?.next).toEqual({ key: "a" });
    expect(parseVersions(page(version("a"), "true"))).toBeNull();
  });

  it.each([
    "",
    "<Error><Code>NotImplemented</Code></Error>",
    "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
    page(version("a")).slice(0, -5),
    page("<Version><Key>a</Key></Version>"),
    page("<Version><Key>a</Key><VersionId>1</VersionId><Size>x</Size></Version>"),
    page(version("a"), "maybe"),
    page(`<EncodingType>url</EncodingType>${version("%ff")}`),
  ])("%s is none", (xml) => {
    expect(parseVersions(xml)).toBeNull();
  });

  it("never throws", () => {
    const text = page(version("a") + version("b"));
    fc.assert(
      fc.property(fc.nat(text.length), fc.nat(20), fc.string(), (at, cut, put) => {
        parseVersions(text.slice(0, at) + put + text.slice(at + cut));
      }),
    );
  });
});
