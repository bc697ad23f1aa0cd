import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseError, parseList } from "../../../src/objects/s3/xml.js";

const error = (text: string) => parseError(Buffer.from(text));
const list = (text: string) => parseList(Buffer.from(text));
const page = (contents: string, more = "<IsTruncated>false</IsTruncated>") =>
  list(
    `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${more}${contents}</ListBucketResult>`,
  );

describe("error documents", () => {
  it("gives code, message, region and server time", () => {
    const text = `<?xml version="1.0"?>
      <Error><Code>AuthorizationHeaderMalformed</Code><Message>the region &apos;a&apos; is wrong; expecting &lt;b&gt; &#x1F600;&#33;</Message>
      <Region>eu-west-1</Region><ServerTime>2026-01-01T00:00:00Z</ServerTime><Other><Code>inner</Code></Other></Error>`;
    expect(error(text)).toEqual({
      code: "AuthorizationHeaderMalformed",
      message: "the region 'a' is wrong; expecting <b> \u{1f600}!",
      region: "eu-west-1",
      serverTime: "2026-01-01T00:00:00Z",
    });
  });

  it("takes name spaces, CDATA, comments and empty elements", () => {
    expect(
      error('<s3:Error xmlns:s3="x"><!-- <Code>no</Code> --><s3:Code><![CDATA[A<B]]></s3:Code><Resource/></s3:Error>'),
    ).toEqual({ code: "A<B" });
  });

  it.each([
    "",
    "not xml",
    "<html><body>502</body></html>",
    "<Error><Message>no code</Message></Error>",
    "<Error><Code></Code></Error>",
    "<Error><Code>a</Code>",
    "<Error><Code>a</Error></Code>",
    "<Error><Code>a</Code></Error><Error><Code>b</Code></Error>",
    "<Error><Code>a&b;</Code></Error>",
    "<Error><Code>a&#x110000;</Code></Error>",
    "<Error><Code>a & b</Code></Error>",
    '<!DOCTYPE x [<!ENTITY e "boom">]><Error><Code>&e;</Code></Error>',
    "<Error><Code><![CDATA[a</Code></Error>",
    "<Error><!-- <Code>a</Code></Error>",
    `<Error>${"<a>".repeat(1000)}${"</a>".repeat(1000)}<Code>a</Code></Error>`,
    `<Error><Code>a</Code><Message>${"x".repeat(70_000)}</Message></Error>`,
  ])("is null for what is none: %.60s", (text) => {
    expect(error(text)).toBeNull();
  });
});

describe("listings", () => {
  it("gives keys and sizes, in order", () => {
    const contents =
      "<Contents><Key>a/1.json</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;x&quot;</ETag><Size>12</Size>" +
      "<Owner><ID>o</ID><DisplayName>Key</DisplayName></Owner></Contents><Contents><Size>0</Size><Key>a/2 &amp; 3</Key></Contents>";
    expect(
      page(contents, "<Name>b</Name><Prefix>a/</Prefix><IsTruncated>true</IsTruncated><KeyCount>2</KeyCount>"),
    ).toEqual({
      entries: [
        { key: "a/1.json", size: 12, modifiedAt: Date.UTC(2026, 0, 1) },
        { key: "a/2 & 3", size: 0 },
      ],
      truncated: true,
    });
  });

  it("undoes the encoding of keys only when the server says that it did it", () => {
    const contents = "<Contents><Key>a%2Bb+c</Key><Size>1</Size></Contents>";
    expect(page(contents)?.entries[0]?.key).toBe("a%2Bb+c");
    expect(page(contents, "<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>")?.entries[0]?.key).toBe(
      "a+b c",
    );
    expect(page("<Contents><Key> a </Key><Size>1</Size></Contents>")?.entries[0]?.key, "spaces belong to the key").toBe(
      " a ",
    );
  });

  it.each([
    page("", ""),
    page("", "<IsTruncated>maybe</IsTruncated>"),
    page("<Contents><Key>a</Key></Contents>"),
    page("<Contents><Size>1</Size></Contents>"),
    page("<Contents><Key>a</Key><Size>x</Size></Contents>"),
    page(
      "<Contents><Key>%zz</Key><Size>1</Size></Contents>",
      "<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>",
    ),
    list("<Error><Code>a</Code></Error>"),
    list("<ListBucketResult><IsTruncated>false</IsTruncated>"),
    list(""),
  ])("is null for what cannot be relied on (%#)", (result) => {
    expect(result).toBeNull();
  });

  it("never throws, whatever it is given", () => {
    const part = fc.constantFrom(
      "<",
      ">",
      "</",
      "/>",
      "<!--",
      "-->",
      "<![CDATA[",
      "]]>",
      "&",
      ";",
      "&#x",
      "Error",
      "Code",
      "Contents",
      "Key",
      " ",
      '"',
      "<?",
      "\0",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(part, fc.string()), { maxLength: 40 }), (parts) => {
        const bytes = Buffer.from(parts.join(""));
        parseError(bytes);
        parseList(bytes);
      }),
      { numRuns: 2000 },
    );
  });
});
