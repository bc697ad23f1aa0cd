import { describe, expect, it } from "vitest";
import { VerificationError } from "../../src/core/errors.js";
import { formatHead } from "../../src/core/head-check.js";
import { lastRecordOf } from "../../src/log/event-object.js";
import { LogKeys } from "../../src/log/keys.js";
import { findTail } from "../../src/log/tail.js";
import { FakeKeys } from "./fake-keys.js";

const keys = new LogKeys("events");

async function tailOf(objects: FakeKeys): Promise<{ seq: number; requests: number }> {
  objects.requests = [];
  const { seq } = await findTail({ objects, keys, useHead: true });
  return { seq, requests: objects.requests.length };
}

function withHead(objects: FakeKeys, seq: number, perObject: number): FakeKeys {
  const first = seq - (seq % perObject);
  const lines = objects.body(first).toString().trimEnd().split("\n");
  const hash = /"event_hash":"([0-9a-f]{64})"/.exec(lines[seq - first] ?? "")?.[1] ?? "";
  objects.extra.set("events/_head.json", Buffer.from(formatHead({ seq, hash })));
  return objects;
}

describe("finding the tail of a log of 1,000,000 keys", () => {
  it("takes at most 60 requests without a head", async () => {
    const { seq, requests } = await tailOf(new FakeKeys(1_000_000, 1));
    expect(seq).toBe(999_999);
    expect(requests).toBeLessThanOrEqual(60);
  });

  it("takes at most 6 with a head, true or a little behind", async () => {
    for (const behind of [0, 1, 20, 900]) {
      const { seq, requests } = await tailOf(withHead(new FakeKeys(1_000_000, 1), 999_999 - behind, 1));
      expect(seq).toBe(999_999);
      expect(requests).toBeLessThanOrEqual(6);
    }
  });

  it("of batch objects too", async () => {
    for (const perObject of [7, 1000]) {
      const records = perObject * 1_000_000 - 3;
      const without = await tailOf(new FakeKeys(records, perObject));
      expect(without.seq).toBe(records - 1);
      expect(without.requests).toBeLessThanOrEqual(60);
      for (const behind of [0, 1, 20]) {
        const { seq, requests } = await tailOf(
          withHead(new FakeKeys(records, perObject), records - 1 - behind, perObject),
        );
        expect(seq).toBe(records - 1);
        expect(requests).toBeLessThanOrEqual(6);
      }
    }
  });

  it("costs requests only, in the log of the distance, when the head is far behind", async () => {
    const { seq, requests } = await tailOf(withHead(new FakeKeys(1_000_000, 1), 5, 1));
    expect(seq).toBe(999_999);
    expect(requests).toBeLessThanOrEqual(60);
  });

  it("even of the longest log there can be", async () => {
    for (const records of [10_000_000_000, 9_999_999_000]) {
      const { seq, requests } = await tailOf(new FakeKeys(records, 1));
      expect(seq).toBe(records - 1);
      expect(requests).toBeLessThanOrEqual(60);
    }
  });

  it.each([0, 1, 2, 999, 1000, 1001, 1024, 1025, 2049, 17_410, 123_457])(
    "finds the end of %i records",
    async (records) => {
      expect((await tailOf(new FakeKeys(records, 1))).seq).toBe(records - 1);
    },
  );

  it("sees past strays between event keys and behind them", async () => {
    const objects = new FakeKeys(5000, 1);
    for (const name of ["_head.json", "_index/x", "archive/0000000003.json", "notes.json"])
      objects.extra.set(`events/${name}`, Buffer.from("{}"));
    expect((await tailOf(objects)).seq).toBe(4999);
  });

  it("a head beyond the end is a contradiction that names both", async () => {
    const objects = new FakeKeys(1_000_000, 1);
    objects.extra.set("events/_head.json", Buffer.from(formatHead({ seq: 1_000_000, hash: "b".repeat(64) })));
    const error: unknown = await tailOf(objects).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(VerificationError);
    expect(error).toMatchObject({
      code: "HEAD_CONTRADICTS_LOG",
      seq: 1_000_000,
      expected: `1000000:${"b".repeat(64)}`,
    });
    expect((error as VerificationError).actual).toBe(`999999:${lastRecordOf(objects.body(999_999), 999_999, {}).hash}`);
  });
});

describe("keys", () => {
  it("seqs become keys and back; nothing else is an event key", () => {
    expect(keys.event(0)).toBe("events/0000000000.json");
    expect(keys.event(9_999_999_999)).toBe("events/9999999999.json");
    expect(keys.seqOf("events/0000000042.json")).toBe(42);
    for (const name of [
      "3.json",
      "+3.json",
      " 3.json",
      "0_3.json",
      "-1.json",
      "00000000003.json",
      "٣.json",
      "٠٠٠٠٠٠٠٠٠٣.json",
      "0000000003.JSON",
      "0000000003.json.bak",
      "x/0000000003.json",
      "",
      "_head.json",
      "0000000003.json\n",
    ]) {
      expect(keys.seqOf(`events/${name}`), name).toBeNull();
    }
    expect(keys.seqOf("events-old/0000000003.json")).toBeNull();
    expect(keys.seqOf("0000000003.json")).toBeNull();
    expect(new LogKeys("a/b/").event(7)).toBe("a/b/0000000007.json");
    expect(new LogKeys("").event(7)).toBe("0000000007.json");
    expect(() => new LogKeys("events", "events/0000000001.json")).toThrow("key of an event");
  });
});
