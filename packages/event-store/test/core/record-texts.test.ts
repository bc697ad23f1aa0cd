import { describe, expect, it } from "vitest";
import { FileEventStore, InvalidEventError, JsonText, recordTexts, type StoredRecord } from "@rynxs/event-store";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

async function recordsOf(hashVersion: 1 | 2): Promise<StoredRecord[]> {
  const folder = await mkdtemp(join(tmpdir(), "rynxs-texts-"));
  const store = await FileEventStore.open({ path: join(folder, "a.log"), hashVersion });
  await store.append({
    type: 'Typ"é\n',
    aggregateId: "a😀",
    ts: 123456789012345678901234567890n,
    payload: JsonText.parse('{"z":1.0,"big":18446744073709551616,"a":[1e3,-0]}'),
    meta: {},
  });
  await store.append({ type: "T", aggregateId: "b", ts: -5, payload: {}, meta: { n: 2n ** 70n } });
  const records: StoredRecord[] = [];
  for await (const record of store.readRecords()) records.push(record);
  await store.close();
  await rm(folder, { recursive: true });
  return records;
}

describe("the texts of a record", () => {
  it.each([1, 2] as const)("keep every digit, hash version %d", async (hashVersion) => {
    const records = await recordsOf(hashVersion);
    const [first, second] = records.map(recordTexts);
    expect(first).toEqual({
      seq: 0,
      type: 'Typ"é\n',
      aggregateId: "a😀",
      ts: "123456789012345678901234567890",
      payload: '{"a":[1000.0,0],"big":18446744073709551616,"z":1.0}',
      meta: "{}",
      hashVersion,
      eventHash: records[0]?.eventHash,
      prevHash: "0".repeat(64),
    });
    expect(second).toMatchObject({ seq: 1, ts: "-5", payload: "{}", meta: '{"n":1180591620717411303424}' });
  });

  it("are the same for a record in another spelling", async () => {
    const [record] = await recordsOf(1);
    const { event_hash, prev_hash } = JSON.parse(record!.line.toString()) as Record<string, unknown>;
    const inner = record!.line.subarray(9, record!.line.length - 160).toString();
    const spelt = ` {"prev_hash": "${String(prev_hash)}", "event_hash":"${String(event_hash)}","event" : ${inner}}`;
    expect(recordTexts({ line: Buffer.from(spelt) })).toEqual(recordTexts(record!));
  });

  it("are refused for what is no record", () => {
    expect(() => recordTexts({ line: Buffer.from('{"event":{}}') })).toThrow(InvalidEventError);
  });
});

describe("walking into JSON text", () => {
  const text = JsonText.parse('{"b":{"x":[10,{"y":18446744073709551616.0}]},"__proto__":1.50,"a":null,"2":true}');

  it("gives members and items as texts, their digits kept", () => {
    expect(text.get("b")?.get("x")?.get(0)?.canonical).toBe("10");
    expect(text.get("b")?.get("x")?.get(1)?.get("y")?.canonical).toBe("1.8446744073709552e+19");
    expect(text.get("__proto__")?.canonical).toBe("1.5");
    expect(text.get("a")?.canonical).toBe("null");
    expect([text.depth, text.get("b")?.depth, text.get("b")?.get("x")?.depth, text.get("a")?.depth]).toEqual([
      4, 3, 2, 0,
    ]);
    expect(text.get("b")?.canonical).toBe('{"x":[10,{"y":1.8446744073709552e+19}]}');
    expect(text.keys()).toEqual(["b", "__proto__", "a", "2"].sort());
  });

  it("gives nothing where there is nothing", () => {
    expect(text.get("c")).toBeUndefined();
    expect(text.get(2)).toBeUndefined();
    expect(text.get("b")?.get("x")?.get("0")).toBeUndefined();
    expect(text.get("a")?.get("b")).toBeUndefined();
    expect(text.get("toString")).toBeUndefined();
    expect(JsonText.parse("[1]").keys()).toEqual([]);
    expect(JsonText.parse("7").keys()).toEqual([]);
  });
});
