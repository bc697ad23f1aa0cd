import { copyFile, cp, open, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FileEventStore, type NewEvent } from "@rynxs/event-store";
import { describe, expect, it } from "vitest";
import { events, json, newLog, rynxs, temporaryFolder, VECTORS, ZEROS } from "./rynxs.js";

const folder = await temporaryFolder();

interface Report {
  readonly valid: boolean;
  readonly events: number;
  readonly head: { readonly seq: number; readonly hash: string };
  readonly error?: {
    readonly code: string;
    readonly seq: number;
    readonly expected: unknown;
    readonly actual: unknown;
  };
}

const golden = async <T>(name: string): Promise<T> => JSON.parse(await readFile(join(VECTORS, name), "utf8")) as T;

describe("verify of golden logs", async () => {
  const chains = await golden<{ file?: string; events?: number; last_seq: number; last_hash: string }[]>("chains.json");
  it.each(chains.filter(({ file }) => file !== undefined))(
    "$file is valid",
    async ({ file, events: count, last_seq, last_hash }) => {
      const store = ["--store", `file:${join(VECTORS, file ?? "")}`];
      const { code, stdout } = await rynxs(["verify", ...store, "--json"]);
      expect(code).toBe(0);
      expect(stdout).toBe(
        `${JSON.stringify({ valid: true, events: count, head: { seq: last_seq, hash: last_hash } })}\n`,
      );
    },
  );

  it("a rotated log is one log", async () => {
    await cp(join(VECTORS, "rotated"), join(folder, "rotated"), { recursive: true });
    const report = await json<Report>(["verify", "--store", `file:${join(folder, "rotated", "events.log")}`]);
    expect(report).toMatchObject({ valid: true, events: 100, head: { seq: 99 } });
  });

  const variants = await golden<{ file: string; expect: string; seq: number }[]>("tampered/manifest.json");
  it.each(variants)("$file is $expect at $seq", async ({ file, expect: kind, seq }) => {
    const { path, store } = newLog(folder);
    await copyFile(join(VECTORS, "tampered", file), path);
    const { code, stdout, stderr } = await rynxs(["verify", ...store, "--json"]);
    const report = JSON.parse(stdout) as Report;
    expect(stderr).toBe("");
    if (kind === "valid" || kind === "ok") {
      expect([code, report.valid, report.head.seq]).toEqual([0, true, seq]);
      expect(report).not.toHaveProperty("error");
      return;
    }
    expect([code, report.valid, report.events]).toEqual([2, false, seq]);
    expect(Object.keys(report)).toEqual(["valid", "events", "head", "error"]);
    expect(Object.keys(report.error ?? {})).toEqual(["code", "seq", "expected", "actual"]);
    expect(report.error).toMatchObject({ code: kind.toUpperCase().replaceAll("-", "_"), seq });
    const people = await rynxs(["verify", ...store]);
    expect(people.code).toBe(2);
    expect(people.stdout).toMatch(new RegExp(`^NOT VALID: ${String(seq)} good events? before the fault`));
    expect(people.stderr).toMatch(
      new RegExp(
        `^error ${report.error?.code ?? ""}: .*\\n {2}seq +${String(seq)}\\n {2}expected  .*\\n {2}actual    .*\\n`,
      ),
    );
  });
});

describe("verify", () => {
  it("says how many events there are and what the head is", async () => {
    const { store } = newLog(folder);
    await json(["append", ...store, "--stdin", "--batch", "50"], { input: events(50) });
    const { hash } = await json<{ hash: string }>(["head", ...store]);
    const { code, stdout, stderr } = await rynxs(["verify", ...store]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toBe(`valid: 50 events, seq 0 to 49\nhead 49:${hash}\n`);
    const half = await rynxs(["verify", ...store, "--from", "40"]);
    expect(half.stdout).toMatch(
      /^valid: 10 events, seq 40 to 49\nhead 49:.*\nanchored on the record before, 39:[0-9a-f]{64}: what lies before seq 40 was not verified\n$/,
    );
  });

  it("with --expect-head, notices a tail that was cut off or rewritten", async () => {
    const { path, store } = newLog(folder);
    await json(["append", ...store, "--stdin"], { input: events(5) });
    const head = (await rynxs(["head", ...store])).stdout.trim();
    expect((await rynxs(["verify", ...store, "--expect-head", head])).code).toBe(0);
    await json(["append", ...store, "--stdin"], { input: events(2) });
    expect((await rynxs(["verify", ...store, "--expect-head", head])).code).toBe(0);

    const lines = (await readFile(path, "utf8")).split("\n");
    await truncate(path, Buffer.byteLength(`${lines.slice(0, 3).join("\n")}\n`));
    const cut = await rynxs(["verify", ...store, "--expect-head", head, "--json"]);
    expect(cut.code).toBe(2);
    expect(JSON.parse(cut.stdout)).toMatchObject({
      valid: false,
      events: 3,
      head: { seq: 2 },
      error: { code: "TRUNCATED", seq: 3, expected: head },
    });

    await writeFile(path, `${lines.slice(0, 3).join("\n")}\n`);
    await json(["append", ...store, "--stdin"], { input: events(4) });
    const rewritten = await rynxs(["verify", ...store, "--expect-head", head, "--json"]);
    expect(rewritten.code).toBe(2);
    expect(JSON.parse(rewritten.stdout)).toMatchObject({ valid: false, error: { code: "HEAD_CONTRADICTS_LOG" } });
  });

  it("verifies a log whose beginning is gone with --anchor", async () => {
    const { path, store } = newLog(folder);
    await json(["append", ...store, "--stdin"], { input: events(5) });
    const lines = (await readFile(path, "utf8")).split("\n");
    const { event_hash } = JSON.parse(lines[1] ?? "") as { event_hash: string };
    await writeFile(path, lines.slice(2).join("\n"));
    expect((await rynxs(["verify", ...store])).code).toBe(2);
    const { code, stdout } = await rynxs(["verify", ...store, "--anchor", `1:${event_hash}`]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^valid: 3 events, seq 2 to 4\n/);
    expect(stdout).toContain(`anchored on the given record 1:${event_hash}`);
    expect((await rynxs(["verify", ...store, "--anchor", `1:${"a".repeat(64)}`])).code).toBe(2);
  });
});

describe("head", () => {
  it("prints the last record's seq and hash", async () => {
    const { store } = newLog(folder);
    await json(["append", ...store, "--stdin"], { input: events(3) });
    const { seq, hash } = await json<{ seq: number; hash: string }>(["head", ...store]);
    expect(seq).toBe(2);
    const { code, stdout, stderr } = await rynxs(["head", ...store]);
    expect([code, stdout, stderr]).toEqual([0, `2:${hash}\n`, ""]);
  });

  it("says that a log is empty", async () => {
    const { path, store } = newLog(folder);
    await writeFile(path, "");
    const { code, stdout, stderr } = await rynxs(["head", ...store]);
    expect([code, stdout]).toEqual([0, `-1:${ZEROS}\n`]);
    expect(stderr).toContain("is empty");
    expect((await rynxs(["verify", ...store, "--expect-head", `-1:${ZEROS}`])).code).toBe(0);
  });

  it("--reset accepts a log that its head contradicts, and says what it replaced", async () => {
    const copy = join(folder, "contradicted");
    await cp(join(VECTORS, "rotated"), copy, { recursive: true });
    const store = ["--store", `file:${join(copy, "events.log")}`];
    const stored = { last_hash: "ab".repeat(32), last_seq: 150, segment_index: 5 };
    await writeFile(join(copy, "events.log.head.json"), JSON.stringify(stored));
    const refused = await rynxs(["append", ...store, "--type", "T", "--aggregate", "a"]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/^error HEAD_CONTRADICTS_LOG: /);
    expect(refused.stderr).toContain("rynxs head --reset");
    const { code, stdout } = await rynxs(["head", ...store, "--reset", "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ before: { seq: 150, hash: stored.last_hash }, after: { seq: 99 } });
    expect(await json(["append", ...store, "--type", "T", "--aggregate", "a"])).toMatchObject({ seq: 100 });
    expect((await rynxs(["verify", ...store])).code).toBe(0);
  });
});

describe("verify with threads", () => {
  it("gives the same report, whatever the number of threads, on a log that is worth them", async () => {
    const { path, store } = newLog(await temporaryFolder());
    const big = await FileEventStore.open({ path });
    const event = (n: number): NewEvent => ({
      type: "T",
      aggregateId: `a-${n % 10}`,
      payload: { n, text: "x".repeat(300) },
    });
    for (let n = 0; n < 40_000; n += 1000) await big.appendBatch(Array.from({ length: 1000 }, (_, i) => event(n + i)));
    await big.close();
    const size = (await stat(path)).size;
    expect(size).toBeGreaterThan(17 * 1024 * 1024);
    const alone = await rynxs(["verify", ...store, "--json", "-j", "1"]);
    expect(JSON.parse(alone.stdout)).toMatchObject({ valid: true, events: 40_000 });
    for (const jobs of [["-j", "2"], ["-j", "5"], []])
      expect(await rynxs(["verify", ...store, "--json", ...jobs])).toEqual(alone);
    // A byte in the last quarter, which another thread has than the first.
    const file = await open(path, "r+");
    await file.write("y", Math.floor(0.8 * size));
    await file.close();
    const forged = await rynxs(["verify", ...store, "--json", "-j", "1"]);
    expect(forged.code).toBe(2);
    expect(await rynxs(["verify", ...store, "--json", "-j", "3"])).toEqual(forged);
  });
});

describe("verify --pointers", () => {
  const decided = (seq: number, hash: string): string =>
    JSON.stringify({
      type: "Decided",
      aggregate_id: "a",
      payload: { trigger_event_seq: seq, trigger_event_hash: hash, trigger_event_type: "AgentObserved" },
    });

  it("checks the links of the Python system's decisions", async () => {
    const store = ["--store", `file:${join(VECTORS, "original-fixtures/v2/operator_log_small.jsonl")}`];
    const { code, stdout } = await rynxs(["verify", ...store, "--pointers"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^valid: 12 events, seq 0 to 11\nhead 11:[0-9a-f]{64}\npointers: 2 links, none broken\n$/);
    expect(await json(["verify", ...store, "--pointers", "-j", "4"])).toMatchObject({
      valid: true,
      pointers: { unverified: 0, broken_count: 0, broken: [] },
    });
  });

  it("names a broken link, with exit 2, though the chain is whole", async () => {
    const { store } = newLog(folder);
    const first = await json<{ event_hash: string }>([
      ...["append", ...store, "--type", "AgentObserved", "--aggregate", "a"],
    ]);
    const forged = "f".repeat(64);
    await json(["append", ...store, "--stdin"], { input: `${decided(0, first.event_hash)}\n${decided(0, forged)}\n` });
    expect((await rynxs(["verify", ...store])).code).toBe(0);
    const { code, stdout, stderr } = await rynxs(["verify", ...store, "--pointers"]);
    expect([code, stderr]).toEqual([2, ""]);
    expect(stdout.split("\n").slice(2)).toEqual([
      "BROKEN POINTERS: 1 of 2 links",
      `  seq 2 to 0  HASH_DIFFERS  expected ${forged}  actual ${first.event_hash}`,
      "",
    ]);
    const asJson = await rynxs(["verify", ...store, "--pointers", "--json", "--from", "2"]);
    expect(asJson.code).toBe(2);
    expect(JSON.parse(asJson.stdout)).toMatchObject({
      valid: true,
      events: 1,
      pointers: {
        checked: 1,
        unverified: 0,
        broken_count: 1,
        broken: [{ seq: 2, reason: "HASH_DIFFERS", trigger_event_seq: 0, expected: forged, actual: first.event_hash }],
      },
    });
  });
});
