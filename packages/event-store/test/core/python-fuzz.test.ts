import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isCanonical } from "../../src/core/json/canonical-scan.js";
import { canonicalizeText } from "../../src/core/json/canonical-text.js";
import { canonicalizeValue } from "../../src/core/json/canonical-value.js";
import { isIntegerLexeme } from "../../src/core/json/numbers.js";
import { parseValue } from "../../src/core/json/parse-value.js";

/** Documents of each kind that are compared with the live python3. */
const DOCUMENTS = 20_000;
const SAMPLE = 1000;

const PYTHON = `
import json, sys
for line in sys.stdin.buffer:
    document = json.loads(line)
    print(json.dumps(json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)))
`;

/** What the Python system itself would write for these texts. */
function pythonCanonical(texts: readonly string[]): string[] {
  const { stdout, stderr, status } = spawnSync("python3", ["-c", PYTHON], {
    input: texts.map((text) => `${text.replaceAll("\n", " ")}\n`).join(""),
    maxBuffer: 1 << 30,
    env: { ...process.env, PYTHONIOENCODING: "utf-8" },
  });
  expect(status, stderr.toString()).toBe(0);
  return stdout
    .toString()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as string);
}

function scans(bytes: Buffer): boolean {
  return isCanonical(bytes);
}

const digits = fc.stringMatching(/^(0|[1-9][0-9]{0,25})$/);
const exponent = fc
  .integer({ min: -330, max: 290 })
  .map((e) => `${Math.abs(e) % 2 ? "e" : "E"}${e > 0 && e % 3 ? "+" : ""}${String(e)}`);
const lexeme = fc
  .oneof(
    fc.tuple(fc.constantFrom("", "-"), digits).map(([s, d]) => s + d),
    fc
      .tuple(fc.constantFrom("", "-"), digits, fc.stringMatching(/^\.[0-9]{1,20}$/), fc.option(exponent, { nil: "" }))
      .map((p) => p.join("")),
    fc.tuple(fc.constantFrom("", "-"), digits, exponent).map((p) => p.join("")),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((d) => (Object.is(d, -0) ? "-0.0" : String(d))),
    fc.constantFrom(
      "-0",
      "-0.0",
      "0e5",
      "1e16",
      "1e15",
      "1e-4",
      "1e-5",
      "1E400".slice(0, 4),
      "5e-324",
      "2.2250738585072014e-308",
      "9007199254740993",
      "1.7976931348623157e308",
    ),
  )
  .filter((text) => isIntegerLexeme(text) || Number.isFinite(Number(text)));
/** A character of every kind that sorting or escaping could get wrong, escaped or not. */
const character = fc.oneof(
  fc.constantFrom(
    '\\"',
    "\\\\",
    "\\/",
    "\\b",
    "\\f",
    "\\n",
    "\\r",
    "\\t",
    "\\u0000",
    "\\u001F",
    "\\u007f",
    "\\ud83d\\ude00",
    "\\uFB33",
    "\u{1F600}",
    "\uFB33",
    "\u2028",
    "\ue000",
    "\ud7ff",
    "\uffff",
    "\u{10000}",
    "/",
    "é",
    "\u007f",
  ),
  fc
    .string({ unit: "binary", minLength: 1, maxLength: 1 })
    .filter((c) => c.isWellFormed() && c > "\u001f" && c !== '"' && c !== "\\"),
);
const text = fc.array(character, { maxLength: 6 }).map((characters) => `"${characters.join("")}"`);
const space = fc.constantFrom("", "", "", " ", "\t", "\r", "  ");
const document = fc.letrec<{ value: string; array: string; object: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    lexeme,
    text,
    fc.constantFrom("true", "false", "null"),
    tie("array"),
    tie("object"),
  ),
  array: fc.tuple(space, fc.array(tie("value"), { maxLength: 4 })).map(([s, items]) => `[${s}${items.join(`${s},`)}]`),
  object: fc
    .tuple(
      space,
      fc.uniqueArray(fc.tuple(text, tie("value")), { maxLength: 6, selector: ([key]) => JSON.parse(key) as string }),
    )
    .map(([s, entries]) => `{${entries.map(([key, value]) => `${s}${key}${s}:${s}${value}`).join(",")}${s}}`),
}));

describe("canonical JSON against the live python3", () => {
  it(`${String(DOCUMENTS)} texts become what Python makes of them, and the scan accepts exactly the canonical ones`, () => {
    const first = Date.now() & 0xffff;
    // A sample at a time: each seed's documents are forgotten before the next.
    for (let seed = first; seed < first + DOCUMENTS / SAMPLE; seed++) {
      const texts = fc.sample(document.object, { numRuns: SAMPLE, seed });
      const expected = pythonCanonical(texts);
      expect(expected).toHaveLength(SAMPLE);
      for (const [i, input] of texts.entries()) {
        const canonical = canonicalizeText(input);
        if (canonical !== expected[i])
          expect({ seed, input, canonical }).toEqual({ seed, input, canonical: expected[i] });
        if (!scans(Buffer.from(canonical)) || scans(Buffer.from(input)) !== (input === canonical))
          throw new Error(`seed ${String(seed)}: the scan errs on ${input}`);
      }
    }
  }, 120_000);

  it("values that are read and written again give the same numbers, digit for digit", () => {
    const values = fc.sample(fc.jsonValue({ noUnicodeString: false, maxDepth: 3 }), { numRuns: 2000, seed: 1 });
    const written = values.map((value) => canonicalizeValue(value, "payload"));
    expect(pythonCanonical(written)).toEqual(written);
    for (const [i, value] of values.entries())
      expect(parseValue(written[i] ?? "")).toEqual(JSON.parse(JSON.stringify(value)));
  });

  it("whatever bytes the scan accepts are a fixed point of the canonicaliser", () => {
    fc.assert(
      fc.property(
        document.object,
        fc.nat(),
        fc.integer({ min: 0, max: 255 }),
        fc.boolean(),
        (source, position, byte, insert) => {
          const bytes = Buffer.from(canonicalizeText(source));
          const at = position % bytes.length;
          const changed = Buffer.concat([
            bytes.subarray(0, at),
            Buffer.from([byte]),
            bytes.subarray(insert ? at : at + 1),
          ]);
          const decoded = changed.toString();
          if (!Buffer.from(decoded).equals(changed)) return true;
          let canonical: string | null = null;
          try {
            canonical = canonicalizeText(decoded);
          } catch {
            // no JSON any more
          }
          return scans(changed) === (canonical === decoded);
        },
      ),
      { numRuns: 5000 },
    );
  });
});
