import { createSecretKey, randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonObject, JsonValue } from "../../src/core/event.js";
import { canonicalizeValue } from "../../src/core/json/canonical-value.js";
import { JsonText } from "../../src/core/json/json-text.js";
import { parseValue } from "../../src/core/json/parse-value.js";
import { parseEnvelope } from "../../src/crypto/envelope.js";
import { openPayload, plaintextOf, sealPayload } from "../../src/crypto/payload.js";

const KEY = createSecretKey(Buffer.alloc(32, 1));
const IV = Buffer.from("000102030405060708090a0b", "hex");
const EVENT = { type: "OrderPlaced", aggregateId: "order-1" };
const BINDING = { ...EVENT, subject: "alice", key: 3 };

/** What a log holds. */
function stored(plaintext: string, iv: Buffer = IV): string {
  return canonicalizeValue(sealPayload(plaintext, KEY, iv, BINDING), "payload");
}

function sealed(payload: unknown, iv: Buffer = IV): JsonObject {
  return JSON.parse(stored(plaintextOf(payload), iv)) as JsonObject;
}

function opened(payload: JsonObject, event: typeof EVENT = EVENT, key = KEY): JsonObject | "plain" {
  const envelope = parseEnvelope(payload);
  return envelope === null ? "plain" : openPayload(envelope, key, event, { seq: 5 });
}

function codeOf(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return (error as { code: unknown }).code;
  }
}

const fields = (payload: JsonObject): Record<string, JsonValue> => payload["$enc"] as Record<string, JsonValue>;
const withField = (payload: JsonObject, name: string, value: JsonValue): JsonObject => ({
  $enc: { ...fields(payload), [name]: value },
});

describe("an envelope", () => {
  it("has these very bytes", () => {
    // Computed by another implementation of AES-256-GCM from key, iv, plaintext and the additional data in the comment:
    // {"aggregate_id":"order-1","alg":"A256GCM","key":3,"subject":"alice","type":"OrderPlaced","v":1}
    expect(stored('{"total":12.50}')).toBe(
      '{"$enc":{"alg":"A256GCM","ct":"wIThSVSfalvEW9XqFVm1","iv":"AAECAwQFBgcICQoL","key":3,"subject":"alice","tag":"pMgRIMKgl7MH83LN3ozaFg","v":1}}',
    );
  });

  it("says nothing of the payload but its size", () => {
    const text = stored(plaintextOf({ name: "Alice Liddell" }));
    expect(text).not.toMatch(/Alice|name/);
    expect(Buffer.from(fields(JSON.parse(text) as JsonObject)["ct"] as string, "base64url")).toHaveLength(
      '{"name":"Alice Liddell"}'.length,
    );
  });

  it("is another one each time, for the same payload", () => {
    const [one, two] = [sealed({ a: 1 }, randomBytes(12)), sealed({ a: 1 }, randomBytes(12))];
    expect(fields(one)["ct"]).not.toBe(fields(two)["ct"]);
  });

  it.each(["alg", "ct", "iv", "key", "subject", "tag", "v"])("is refused when %s was changed or is missing", (name) => {
    const payload = sealed({ a: 1 });
    const value = fields(payload)[name] as JsonValue;
    const changes: JsonValue[] = [null, "", 0, -1, 1.5, {}, [value], 9, "A256GCN", "bob", 4];
    if (typeof value === "string" && name !== "alg" && name !== "subject") {
      // Each bit, as far as it is one: another spelling of the same bytes is no envelope either.
      const bytes = Buffer.from(value, "base64url");
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const changed = Buffer.from(bytes);
        changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
        changes.push(changed.toString("base64url"));
      }
      changes.push(bytes.subarray(1).toString("base64url"), Buffer.concat([bytes, bytes]).toString("base64url"));
      changes.push(`${value}=`, `${value} `, `\n${value}`, `${value}!`);
    }
    for (const change of changes) {
      if (change === value) continue;
      expect([change, codeOf(() => opened(withField(payload, name, change)))]).toEqual([change, "DECRYPTION_FAILED"]);
    }
    const without = Object.fromEntries(Object.entries(fields(payload)).filter(([key]) => key !== name));
    expect(codeOf(() => opened({ $enc: without }))).toBe("DECRYPTION_FAILED");
  });

  it("is refused with a field too many, inside or beside", () => {
    const payload = sealed({ a: 1 });
    expect(codeOf(() => opened(withField(payload, "aad", "x")))).toBe("DECRYPTION_FAILED");
    expect(codeOf(() => opened({ ...payload, note: 1 }))).toBe("DECRYPTION_FAILED");
    for (const other of [null, 1, "x", [], true] as JsonValue[])
      expect(codeOf(() => opened({ $enc: other }))).toBe("DECRYPTION_FAILED");
  });

  it("is refused at another event, and with another key", () => {
    const payload = sealed({ a: 1 });
    expect(opened(payload)).toEqual({ a: 1 });
    expect(codeOf(() => opened(payload, { ...EVENT, type: "OrderPaid" }))).toBe("DECRYPTION_FAILED");
    expect(codeOf(() => opened(payload, { ...EVENT, aggregateId: "order-2" }))).toBe("DECRYPTION_FAILED");
    expect(codeOf(() => opened(payload, EVENT, createSecretKey(Buffer.alloc(32, 2))))).toBe("DECRYPTION_FAILED");
    // Nothing may move between the fields that it is bound to.
    expect(codeOf(() => opened(payload, { type: 'OrderPlaced","v":1', aggregateId: "order-1" }))).toBe(
      "DECRYPTION_FAILED",
    );
  });

  it("is told from a plain payload by its key alone", () => {
    expect(opened({ enc: 1, a: { $enc: 1 } })).toBe("plain");
  });
});

describe("a payload", () => {
  const value: fc.Memo<unknown> = fc.memo((depth) =>
    depth <= 1
      ? fc.oneof(
          fc.string({ unit: "grapheme" }),
          fc.double({ noNaN: true, noDefaultInfinity: true }),
          fc.integer(),
          fc.bigInt(),
          fc.boolean(),
          fc.constantFrom(null, undefined, -0, 1e21, 1e16, 2 ** 53, 2n ** 64n, 0.1, "\u2028", '"\\'),
        )
      : fc.oneof(
          value(1),
          fc.dictionary(
            fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom("__proto__", "$enc", "10", "9")),
            value(depth - 1),
          ),
          fc.array(value(depth - 1).filter((item) => item !== undefined)),
        ),
  );
  const object = fc.dictionary(fc.string({ unit: "grapheme" }), value(3));

  it("comes back as the store would have given it", () => {
    fc.assert(
      fc.property(object, (payload) => {
        const text = plaintextOf(payload);
        expect(opened(sealed(payload))).toEqual(parseValue(text));
      }),
      { numRuns: 400 },
    );
  });

  it("keeps the lexemes of its numbers", () => {
    const given = JsonText.parse(
      '{"b":1.0,"a":12.50,"c":18446744073709551616,"d":[1e400000]}'.replace(',"d":[1e400000]', ""),
    );
    expect(plaintextOf(given)).toBe('{"a":12.5,"b":1.0,"c":18446744073709551616}');
    expect(opened(sealed(given))).toEqual({ a: 12.5, b: 1, c: 18446744073709551616n });
  });

  it("is refused where the store would refuse it", () => {
    for (const bad of [
      [],
      "x",
      1,
      null,
      { a: NaN },
      { a: "\ud800" },
      { a: [undefined] },
      new Date(0),
      JsonText.parse("[]"),
    ])
      expect(codeOf(() => plaintextOf(bad))).toBe("INVALID_EVENT");
    expect(plaintextOf(undefined)).toBe("{}");
  });
});
