import { hash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { isCanonical } from "../../src/core/json/canonical-scan.js";
import { canonicalizeText } from "../../src/core/json/canonical-text.js";
import { canonicalizeValue } from "../../src/core/json/canonical-value.js";
import { JsonText } from "../../src/core/json/json-text.js";
import { parseValue } from "../../src/core/json/parse-value.js";
import { InvalidEventError } from "../../src/core/errors.js";
import { vectorLines } from "./vectors.js";

interface Case {
  id: number;
  category: string;
  input_json: string;
  canonical: string;
  sha256: string;
}

const CASES = vectorLines<Case>("canonical.jsonl");

function scans(text: string): boolean {
  const bytes = Buffer.from(text);
  return isCanonical(bytes);
}

/** Vectors with duplicate keys show Python's last-wins; strict mode refuses them. */
function hasDuplicateKey(text: string): boolean {
  try {
    canonicalizeText(text);
    return false;
  } catch (error) {
    return (error as Error).message.includes("duplicate key");
  }
}

describe("canonical JSON: the golden cases", () => {
  it.each(CASES.map((c) => [c.id, c.category, c] as const))(
    "case %i (%s) matches byte for byte",
    (_id, category, c) => {
      expect(hash("sha256", c.canonical, "hex")).toBe(c.sha256);
      expect(canonicalizeText(c.canonical)).toBe(c.canonical);
      expect(scans(c.canonical)).toBe(true);
      if (hasDuplicateKey(c.input_json)) {
        expect(category).toMatch(/dup/);
        return;
      }
      expect(canonicalizeText(c.input_json)).toBe(c.canonical);
      expect(scans(c.input_json)).toBe(c.input_json === c.canonical);
    },
  );

  it("refuses every text that must not be accepted", () => {
    const rejects = vectorLines<{ name: string; input_json: string; must: string }>("canonical-rejects.jsonl");
    for (const { name, input_json, must } of rejects) {
      if (must !== "reject") continue;
      expect(() => canonicalizeText(input_json), name).toThrow();
      expect(scans(input_json), name).toBe(false);
    }
    expect(rejects.filter((r) => r.must === "reject").length).toBeGreaterThan(25);
  });
});

describe("canonical JSON: readers and nesting", () => {
  const nested = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);

  it("handles 1,000 levels and fails cleanly far beyond", () => {
    expect(canonicalizeText(nested(1000))).toBe(nested(1000));
    expect(scans(nested(1000))).toBe(true);
    for (const levels of [2001, 100_000, 4_000_000]) {
      expect(() => canonicalizeText(nested(levels))).toThrow("nested deeper than 2000 levels");
      expect(scans(nested(levels))).toBe(false);
    }
  });

  it("hands out integers beyond 2^53 as BigInt, with every digit", () => {
    expect(parseValue('{"a":9007199254740993,"b":[-18446744073709551617],"c":9007199254740991,"d":1.0}')).toEqual({
      a: 9007199254740993n,
      b: [-18446744073709551617n],
      c: 9007199254740991,
      d: 1,
    });
  });
});

describe("canonical JSON: values written from TypeScript", () => {
  it.each<[unknown, string]>([
    [1, "1"],
    [-0, "-0.0"],
    [0, "0"],
    [1.5, "1.5"],
    [2 ** 53 - 1, "9007199254740991"],
    [2 ** 53, "9007199254740992.0"],
    [1e21, "1e+21"],
    [1e-7, "1e-07"],
    [0.0001, "0.0001"],
    [0.00001, "1e-05"],
    [5e-324, "5e-324"],
    [123456789012345680, "1.2345678901234568e+17"],
    [18446744073709551616n, "18446744073709551616"],
    [{ b: 1, a: undefined, c: null }, '{"b":1,"c":null}'],
    [{ 10: 1, 9: 2, "": 3 }, '{"":3,"10":1,"9":2}'],
    [{ "\u{1F600}": 1, "\uFB33": 2 }, '{"\uFB33":2,"\u{1F600}":1}'],
    [JSON.parse('{"__proto__":{"x":1}}'), '{"__proto__":{"x":1}}'],
    ["\u007f\u2028\u2029/\u0001\n", '"\u007f\u2028\u2029/\\u0001\\n"'],
    [Object.assign(Object.create(null) as object, { z: [] }), '{"z":[]}'],
    [[JsonText.parse("[1.0, 1e2]")], "[[1.0,100.0]]"],
  ])("%o", (value, canonical) => {
    expect(canonicalizeValue(value, "payload")).toBe(canonical);
    expect(scans(canonical)).toBe(true);
  });

  const cyclic: Record<string, unknown> = { a: { b: [] } };
  (cyclic["a"] as { b: unknown[] }).b.push(cyclic);
  let deep: unknown = 1;
  for (let i = 0; i < 129; i++) deep = [deep];
  const holes: unknown[] = [1];
  holes[2] = 3;

  it.each<[string, unknown, string, string]>([
    ["undefined in an array", { a: [1, undefined] }, "$.payload.a[1]", "undefined"],
    ["NaN", { a: { b: NaN } }, "$.payload.a.b", "NaN"],
    ["Infinity", [-Infinity], "$.payload[0]", "Infinity"],
    ["a lone surrogate", { a: "x\ud800" }, "$.payload.a", "surrogate"],
    ["a lone surrogate in a key", { "\udc00": 1 }, "$.payload", "surrogate"],
    ["a function", { f: () => 1 }, "$.payload.f", "function"],
    ["a symbol", { s: Symbol("x") }, "$.payload.s", "symbol"],
    ["a symbol as key", { [Symbol("x")]: 1 }, "$.payload", "symbol"],
    ["an array with a hole", { a: holes }, "$.payload.a", "hole"],
    ["a cycle", cyclic, "$.payload.a.b[0]", "contains itself"],
    ["nesting beyond 128 levels", deep, "$.payload" + "[0]".repeat(128), "128"],
    ["text nested beyond 128 levels", { a: JsonText.parse("[".repeat(128) + "]".repeat(128)) }, "$.payload.a", "128"],
    ["a Date", { "when done": new Date(0) }, '$.payload["when done"]', "Date"],
    ["a Map", { m: new Map() }, "$.payload.m", "Map"],
    ["a class instance", { u: new URL("http://x/") }, "$.payload.u", "URL"],
    ["an integer Python cannot read", { n: 10n ** 4300n }, "$.payload.n", "4300"],
    [
      "the same in text",
      { n: JsonText.parse(`{"k":"${"1".repeat(5000)}","n":${"1".repeat(4301)}}`) },
      "$.payload.n",
      "4300",
    ],
  ])("refuses %s with its JSON path", (_name, value, path, problem) => {
    let error: unknown;
    try {
      canonicalizeValue(value, "payload");
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(InvalidEventError);
    expect(error).toMatchObject({ code: "INVALID_EVENT", path });
    expect((error as Error).message).toContain(problem);
  });

  it("gives a hint for a Date and a Map", () => {
    expect(() => canonicalizeValue(new Date(0), "p")).toThrow(
      expect.objectContaining({ hint: expect.stringContaining("toISOString") as string }),
    );
    expect(() => canonicalizeValue(new Map(), "p")).toThrow(
      expect.objectContaining({ hint: expect.stringContaining("fromEntries") as string }),
    );
  });

  it("accepts 128 levels, and text with 4,300 digits or long strings of digits", () => {
    let value: unknown = 1;
    for (let i = 0; i < 128; i++) value = [value];
    expect(canonicalizeValue(value, "payload")).toBe("[".repeat(128) + "1" + "]".repeat(128));
    const text = `["${"1".repeat(5000)}",${"1".repeat(4300)}]`;
    expect(canonicalizeValue(JsonText.parse(text), "payload")).toBe(text);
  });
});
