import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startS3Emulator, type S3Emulator } from "@rynxs/event-store/testing";
import { json, rynxs, temporaryFolder } from "./rynxs.js";

const EVENTS = 45_000;
const folder = await temporaryFolder();
const file = `file:${join(folder, "long.log")}`;

describe("compact, prune and copy --segments", () => {
  let server: S3Emulator;
  let daysAgo = 3;
  let lines: string[];

  const place = (log: string): string => `s3://events/${log}`;
  const at = (log: string): string[] => ["--store", place(log), "--endpoint", server.endpoint];
  const options = (input = ""): { env: Record<string, string>; input: string } => ({
    env: {
      AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
    },
    input,
  });
  const keysOf = (log: string): string[] =>
    server
      .objects("events")
      .keys(`${log}/`)
      .map((key) => key.slice(log.length + 1));
  const readAll = async (...args: string[]): Promise<string[]> => {
    const { code, stdout, stderr } = await rynxs(["read", ...args, "--json"], options());
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return stdout.split("\n");
  };

  beforeAll(async () => {
    server = await startS3Emulator({ now: () => Date.now() - daysAgo * 86_400_000 });
    const input = Array.from({ length: EVENTS }, (_, i) => `{"type":"T","aggregate_id":"a-${i % 9}","ts":${i}}\n`);
    await json(["append", "--store", file, "--stdin", "--batch", "1000"], options(input.join("")));
    lines = await readAll("--store", file);
  }, 120_000);

  afterAll(async () => {
    await server.close();
  });

  it("compacts, prunes what is old, and reads the same", async () => {
    daysAgo = 3;
    await json(["copy", file, place("one"), "--endpoint", server.endpoint, "--batch", "1000"], options());
    const compacted = await json(["compact", ...at("one")], options());
    expect(compacted).toMatchObject({ written: 4, merged: 0, records: 40_000, head: { seq: EVENTS - 1 } });
    const again = await rynxs(["compact", ...at("one")], options());
    expect(again.stdout).toMatch(/^nothing to compact\n40000 events in segments, 5000 events behind them\nhead 44999:/);
    const segment = server.objects("events").get("one/_segments/0000010000-0000019999.jsonl.gz");
    expect(gunzipSync(segment?.body ?? "").toString()).toBe(`${lines.slice(10_000, 20_000).join("\n")}\n`);

    const young = await rynxs(["prune", ...at("one"), "--yes"], options());
    expect(young.stdout).toMatch(/^nothing to prune/);
    daysAgo = 0;
    const dry = await rynxs(["prune", ...at("one")], options());
    expect(dry.stdout).toMatch(/^would delete 30 event objects, .* MB, seq 0 to 29999; .*\n.*\nnothing was deleted/);
    expect(keysOf("one")).toContain("0000000000.json");
    expect(await json(["prune", ...at("one"), "--yes"], options())).toMatchObject({
      deleted: true,
      objects: 30,
      range: { first: 0, last: 29_999 },
      kept_from: 30_000,
    });
    expect(keysOf("one")[0]).toBe("0000030000.json");
    expect(await readAll(...at("one"))).toEqual(lines);
    for (const more of [[], ["--segments"]])
      expect(await json(["verify", ...at("one"), ...more], options())).toMatchObject({ valid: true, events: EVENTS });
    // somebody flips a byte of what is now the only copy
    const key = "one/_segments/0000000000-0000009999.jsonl.gz";
    const { body } = server.objects("events").get(key) ?? { body: Buffer.alloc(0) };
    server.objects("events").put(key, Buffer.from(body).fill(0, 5000, 5001));
    const broken = await rynxs(["verify", ...at("one")], options());
    expect(broken.code).toBe(2);
    expect(broken.stdout + broken.stderr).toContain(key);
  }, 120_000);

  it("copies to another bucket, compacted there, and goes on", async () => {
    const copied = await json(["copy", file, place("two"), "--endpoint", server.endpoint, "--segments"], options());
    expect(copied).toMatchObject({ copied: EVENTS, first_seq: 0, head: { seq: EVENTS - 1 } });
    expect(keysOf("two").filter((key) => key.startsWith("00"))).toHaveLength(45);
    expect(keysOf("two").filter((key) => key.startsWith("_segments/"))).toHaveLength(4);
    expect(await readAll(...at("two"))).toEqual(lines);
    await json(["append", ...at("two"), "--type", "T", "--aggregate", "a", "--ts", "1"], options());
    const back = `file:${join(folder, "back.log")}`;
    await json(["copy", place("two"), back, "--endpoint", server.endpoint], options());
    expect(await json(["verify", "--store", back], options())).toMatchObject({ valid: true, events: EVENTS + 1 });
    const refused = await rynxs(["copy", place("two"), file, "--segments"], options());
    expect(refused.code).toBe(1);
  }, 120_000);

  it("mends a damaged segment when it is told to check them", async () => {
    await json(["copy", file, place("three"), "--endpoint", server.endpoint, "--segments"], options());
    const key = "three/_segments/0000010000-0000019999.jsonl.gz";
    const { body } = server.objects("events").get(key) ?? { body: Buffer.alloc(0) };
    server.objects("events").put(key, Buffer.from(body).fill(0, 5000, 5001));
    expect(await json(["compact", ...at("three")], options())).toMatchObject({ written: 0 });
    const mended = await rynxs(["compact", ...at("three"), "--check"], options());
    expect(mended.stderr).toContain("SEGMENT_UNUSABLE");
    expect(server.objects("events").get(key)?.body).toEqual(body);
  }, 120_000);
});
