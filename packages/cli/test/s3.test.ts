import { appendFile, copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startS3Emulator, type S3Emulator } from "@rynxs/event-store/testing";
import { events, json, newLog, rynxs, start, temporaryFolder, VECTORS, ZEROS } from "./rynxs.js";

interface Server {
  readonly endpoint: string;
  readonly bucket: string;
  readonly env: Readonly<Record<string, string>>;
}

const folder = await temporaryFolder();
let prefixes = 0;

/** A prefix that no run has used before. */
function newPrefix(): string {
  prefixes += 1;
  return `cli-${String(process.pid)}-${String(Date.now())}/log-${String(prefixes)}`;
}

function suite(server: () => Server): void {
  const options = (input = ""): { env: Record<string, string>; input: string } => ({ env: { ...server().env }, input });
  const place = (): string => `s3://${server().bucket}/${newPrefix()}`;
  const at = (store: string): string[] => ["--store", store, "--endpoint", server().endpoint];

  it("appends, reads and verifies", async () => {
    const store = at(place());
    const first = await json<{ seq: number; prev_hash: string }>(
      ["append", ...store, "--type", "T", "--aggregate", "a", "--ts", "1"],
      options(),
    );
    expect(first).toMatchObject({ seq: 0, prev_hash: ZEROS });
    expect(await json(["append", ...store, "--stdin"], options(events(5)))).toMatchObject({ appended: 5, last_seq: 5 });
    expect(await json(["append", ...store, "--stdin", "--batch", "4"], options(events(6)))).toMatchObject({
      appended: 6,
      last_seq: 11,
    });
    const head = await json<{ seq: number; hash: string }>(["head", ...store], options());
    expect(await json(["verify", ...store], options())).toEqual({ valid: true, events: 12, head });
    const { stdout } = await rynxs(["read", ...store, "--json"], options());
    expect(
      stdout
        .trimEnd()
        .split("\n")
        .map((line) => (JSON.parse(line) as { event: { seq: number } }).event.seq),
    ).toEqual([...Array(12).keys()]);
    const half = await rynxs(["read", ...store, "--from", "10"], options());
    expect(half.stderr).toMatch(/^anchored on the record before, 9:/);
    const lost = await rynxs(
      ["append", ...store, "--type", "T", "--aggregate", "a", "--expect-prev", ZEROS],
      options(),
    );
    expect(lost.code).toBe(1);
    expect(lost.stderr).toContain(`actual    ${head.hash}`);
  });

  it("finds the log in the environment", async () => {
    const { endpoint, bucket, env } = server();
    const variables = {
      ...env,
      EVENT_STORE_TYPE: "s3",
      S3_BUCKET: bucket,
      S3_PREFIX: newPrefix(),
      S3_ENDPOINT: endpoint,
    };
    expect(await json(["append", "--type", "T", "--aggregate", "a"], { env: variables })).toMatchObject({ seq: 0 });
    expect(await json(["verify"], { env: variables })).toMatchObject({ valid: true, events: 1 });
  });

  it("copies a golden log to S3 and back, byte for byte", async () => {
    const [from, back] = [newLog(folder), newLog(folder)];
    await copyFile(join(VECTORS, "chain-mixed.jsonl"), from.path);
    for (const batch of [[], ["--batch", "64"]]) {
      const store = place();
      const there = await json<{ copied: number }>(
        ["copy", `file:${from.path}`, store, "--to-endpoint", server().endpoint, ...batch],
        options(),
      );
      expect(there.copied).toBe(200);
      expect(await json(["verify", ...at(store)], options())).toMatchObject({ valid: true, events: 200 });
      const target = batch.length === 0 ? back : newLog(folder);
      await json(["copy", store, `file:${target.path}`, "--from-endpoint", server().endpoint], options());
      expect(await readFile(target.path)).toEqual(await readFile(from.path));
    }
  });

  it("goes on with a copy that Ctrl-C ended", async () => {
    const from = newLog(folder);
    await json(["append", ...from.store, "--stdin", "--batch", "1000"], { input: events(3000) });
    const store = place();
    const args = ["copy", `file:${from.path}`, store, "--endpoint", server().endpoint];
    const child = start(args, options());
    child.stdin.end();
    while ((await json<{ seq: number }>(["head", ...at(store)], options())).seq < 3);
    child.kill("SIGINT");
    const { code, stderr } = await child.ended;
    expect(code).toBe(130);
    expect(stderr).toMatch(
      /^error INTERRUPTED: stopped by a signal: .* holds the log up to \d+:[0-9a-f]{64}\nhint: run the same command again/,
    );
    const { seq } = await json<{ seq: number }>(["head", ...at(store)], options());
    const rest = await json<{ copied: number; first_seq: number }>([...args, "--batch", "1000"], options());
    expect(rest).toMatchObject({ copied: 2999 - seq, first_seq: seq + 1 });
    expect((await rynxs(["head", ...at(store)], options())).stdout).toBe((await rynxs(["head", ...from.store])).stdout);
  });

  it("imports each line once, exports, and goes on with both", async () => {
    const store = at(place());
    const input = join(folder, `input-${String(prefixes)}.ndjson`);
    await writeFile(input, events(25));
    const args = ["import", input, ...store, "--batch", "10"];
    expect(await json(args, options())).toMatchObject({ imported: 25, already: 0, last_seq: 24 });
    expect(await json(args, options())).toMatchObject({ imported: 0, already: 25 });
    const lake = join(folder, `lake-${String(prefixes)}`);
    const exported = ["export", ...store, "--format", "parquet", "--output", `${lake}/`, "--rows-per-file", "10"];
    expect(await json(exported, options())).toMatchObject({ rows: 25, files: { length: 3 } });
    await appendFile(input, events(2));
    expect(await json(args, options())).toMatchObject({ imported: 2, already: 25, first_seq: 25 });
    expect(await json(exported, options())).toMatchObject({ rows: 2, first_seq: 25 });
    const sum = "select count(*) as n, sum((payload->>'$.i')::bigint) as sum from events";
    expect(await json(["query", ...store, sum], options())).toEqual([{ n: 27, sum: 301 }]);
    expect(await json(["query", "--files", lake, sum])).toEqual([{ n: 27, sum: 301 }]);
  });

  it("passes the doctor, who leaves nothing behind", async () => {
    const store = at(place());
    const { code, stdout, stderr } = await rynxs(["doctor", ...store], options());
    expect([code, stderr]).toEqual([0, ""]);
    const [safe = ""] = stdout.split(/^. TLS/m);
    expect(safe.match(/^✓ .*$/gm)).toHaveLength(10);
    expect(stdout).toMatch(/^✓ race of 8 writers +4 races for one key each, one winner each$/m);
    expect(stdout).toMatch(/\nsafe to use; \d points? of advice\n$/);
    expect((await json<{ seq: number }>(["head", ...store], options())).seq).toBe(-1);
  });

  it("says what to do about a wrong bucket, key or secret", async () => {
    const cases = [
      { store: `s3://rynxs-no-such-bucket/x`, env: {}, code: "BUCKET_NOT_FOUND" },
      { store: place(), env: { AWS_ACCESS_KEY_ID: "WRONGKEY" }, code: "ACCESS_DENIED" },
      { store: place(), env: { AWS_SECRET_ACCESS_KEY: "wrong-secret" }, code: "ACCESS_DENIED" },
    ];
    for (const { store, env, code: expected } of cases) {
      const run = { env: { ...server().env, ...env } };
      const { code, stdout, stderr } = await rynxs(["verify", ...at(store)], run);
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr).toMatch(new RegExp(`^error ${expected}: .*\\n( .*\\n)*hint: \\w`));
      expect(stderr).not.toContain("wrong-secret");
      const doctor = await rynxs(["doctor", ...at(store)], run);
      expect(doctor.code).toBe(1);
      expect(doctor.stdout).toMatch(/^✗ reachable .*\n {2}what to do: \w/);
    }
  });
}

describe("emulator", () => {
  let emulator: S3Emulator;
  const env = { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "testsecret" };
  beforeAll(async () => {
    emulator = await startS3Emulator();
  });
  afterAll(() => emulator.close());

  suite(() => ({ endpoint: emulator.endpoint, bucket: "events", env }));

  it("reports a record that was tampered with, with exit 2 from every command that meets it", async () => {
    const prefix = newPrefix();
    const store = ["--store", `s3://events/${prefix}`, "--endpoint", emulator.endpoint];
    await json(["append", ...store, "--stdin"], { env, input: events(6) });
    const bucket = emulator.objects("events");
    const key = `${prefix}/0000000003.json`;
    const held = bucket.get(key);
    if (held === undefined) throw new Error(`there is no ${key}`);
    bucket.put(key, Buffer.from(held.body.toString().replace('{"i":3}', '{"i":4}')), held);
    const { code, stdout } = await rynxs(["verify", ...store, "--json"], { env });
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({
      valid: false,
      events: 3,
      head: { seq: 2 },
      error: { code: "HASH_MISMATCH", seq: 3 },
    });
    const read = await rynxs(["read", ...store], { env });
    expect([read.code, read.stdout.trimEnd().split("\n").length]).toEqual([2, 4]);
    expect(read.stderr).toContain(key);
    const target = newLog(folder);
    expect(
      (await rynxs(["copy", `s3://events/${prefix}`, `file:${target.path}`, "--endpoint", emulator.endpoint], { env }))
        .code,
    ).toBe(2);
    expect(await json(["verify", ...target.store])).toMatchObject({ valid: true, events: 3 });
  });

  it("refuses a cut log as evidence until head --reset", async () => {
    const prefix = newPrefix();
    const store = ["--store", `s3://events/${prefix}`, "--endpoint", emulator.endpoint];
    await json(["append", ...store, "--stdin"], { env, input: events(4) });
    const head = (await rynxs(["head", ...store], { env })).stdout.trim();
    emulator.objects("events").delete(`${prefix}/0000000003.json`);
    for (const args of [["verify"], ["read"], ["append", "--type", "T", "--aggregate", "a"]]) {
      const { code, stderr } = await rynxs([...args, ...store], { env });
      expect(code).toBe(2);
      expect(stderr).toMatch(/^error HEAD_CONTRADICTS_LOG: /m);
    }
    const reset = await rynxs(["head", ...store, "--reset"], { env });
    expect(reset.code).toBe(0);
    expect(reset.stdout).toMatch(new RegExp(`^head set to 2:[0-9a-f]{64}, the log's last record; it was ${head}\n$`));
    expect(await json(["append", ...store, "--type", "T", "--aggregate", "a"], { env })).toMatchObject({ seq: 3 });
  });

  it("says that nothing listens", async () => {
    const { code, stderr } = await rynxs(["head", "--store", "s3://events/x", "--endpoint", "http://127.0.0.1:9"], {
      env,
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error UNAVAILABLE: .*127\.0\.0\.1:9/);
  });

  it("takes an endpoint without a scheme, saying so, and refuses a malformed one", async () => {
    const bare = emulator.endpoint.replace("http://", "");
    const { code, stderr } = await rynxs(["head", "--store", `s3://events/${newPrefix()}`, "--endpoint", bare], {
      env,
    });
    expect(code).toBe(0);
    expect(stderr).toMatch(/^warning ENDPOINT_SCHEME_ASSUMED: /);
    const wrong = await rynxs(["head", "--store", "s3://events/x", "--endpoint", "ftp://x"], { env });
    expect([wrong.code, wrong.stderr.split(":")[0]]).toEqual([1, "error INVALID_CONFIG"]);
  });
});

describe("a backend that ignores If-None-Match", () => {
  it("is found out by the doctor, and refused before anything is written to the log", async () => {
    const emulator = await startS3Emulator({ ignoreIfNoneMatch: true });
    const env = { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "testsecret" };
    const store = ["--store", "s3://events/x", "--endpoint", emulator.endpoint];
    try {
      const doctor = await rynxs(["doctor", ...store], { env });
      expect(doctor.code).toBe(1);
      expect(doctor.stdout).toMatch(/^✗ create only once .*overwritten\n {2}what to do: do not keep a log here/m);
      expect(doctor.stdout).toMatch(/\nNOT safe to use: 3 of 10 checks failed\n$/);
      const { code, stderr } = await rynxs(["append", ...store, "--type", "T", "--aggregate", "a"], { env });
      expect(code).toBe(1);
      expect(stderr).toMatch(/^error UNSAFE_BACKEND: /);
      expect(emulator.objects("events").page("x/0", "", 10).keys).toEqual([]);
    } finally {
      await emulator.close();
    }
  });
});

describe.runIf(process.env["RYNXS_TEST_S3_ENDPOINT"])("real server: command line", () => {
  suite(() => ({
    endpoint: process.env["RYNXS_TEST_S3_ENDPOINT"] ?? "",
    bucket: process.env["RYNXS_TEST_S3_BUCKET"] ?? "",
    env: {
      AWS_ACCESS_KEY_ID: process.env["AWS_ACCESS_KEY_ID"] ?? "",
      AWS_SECRET_ACCESS_KEY: process.env["AWS_SECRET_ACCESS_KEY"] ?? "",
    },
  }));
});
