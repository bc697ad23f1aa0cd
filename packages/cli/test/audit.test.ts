import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FileEventStore } from "@rynxs/event-store";
import {
  checkpointText,
  CompactRange,
  formatNote,
  formatVerifierKey,
  localCosigner,
  localSigner,
  recordLeaf,
  type AuditReport,
} from "@rynxs/event-store/trust";
import { describe, expect, it } from "vitest";
import { auditDocument } from "../src/audit/document.js";
import { auditHtml } from "../src/audit/html.js";
import { auditMarkdown } from "../src/audit/markdown.js";
import { auditText } from "../src/audit/text.js";
import { newLog, rynxs, temporaryFolder, VECTORS } from "./rynxs.js";

const folder = await temporaryFolder();

const REPORT: AuditReport = {
  verdict: "invalid",
  findings: [
    {
      code: "HASH_MISMATCH",
      verdict: "invalid",
      message: "record 2 was changed",
      seq: 2,
      expected: "aa",
      actual: "bb",
    },
  ],
  location: "file:/logs/small.log",
  auditedAt: Date.parse("2024-05-06T07:08:09Z"),
  range: {
    askedFrom: 0,
    askedTo: null,
    first: 0,
    last: 5,
    firstTs: Date.parse("2024-01-02T03:04:05Z"),
    lastTs: Date.parse("2024-01-02T03:04:06Z"),
  },
  records: {
    valid: 4,
    apart: {
      count: 2,
      ranges: [
        [3, 3],
        [5, 5],
      ],
      isComplete: true,
    },
    invalid: { count: 1, ranges: [[2, 2]], isComplete: true },
    missing: { count: 1, ranges: [[4, 4]], isComplete: false },
    redacted: { count: 0, ranges: [], isComplete: true },
    shredded: { count: 0, ranges: [], isComplete: true },
  },
  chain: { isValid: false, head: { seq: 5, hash: "f".repeat(64) }, unexaminedFrom: null },
  expectedHead: { seq: 9, hash: "e".repeat(64), status: "beyond_the_end" },
  checkpoints: [
    {
      ...{ source: "stored", status: "verified", origin: "example.com/log", size: 6, root: "ab", tree: "not_checked" },
      signers: ["example.com/log"],
      witnesses: [
        { name: "w1", cosignedAt: Date.parse("2024-05-01T00:00:00Z") },
        { name: "w2", cosignedAt: null },
      ],
    },
  ],
  contents: {
    types: {
      distinct: 2,
      isComplete: true,
      top: [
        { name: "LeaderElected", count: 1 },
        { name: "T", count: 3 },
      ],
    },
    aggregates: { distinct: 1, isComplete: false, top: [{ name: "a", count: 4 }] },
    writers: [{ id: "w-1", count: 3, firstSeq: 0, lastSeq: 5 }],
    moreWriters: false,
    withoutWriter: 1,
    leaders: [{ seq: 1, ts: 7, epoch: 4, holder: "w-1", isNext: false }],
    leaderChanges: 1,
  },
};

const TEXT = `NOT VALID: the log is not what was written or signed

Findings
  Code           Seq  What                  Expected  Actual
  HASH_MISMATCH  2    record 2 was changed  aa        bb

Range
  Log            file:/logs/small.log
  Audited        2024-05-06T07:08:09.000Z by rynxs 0.1.0
  Asked          seq 0 to the end
  Found          seq 0 to 5
  Timestamps     2024-01-02T03:04:05.000Z to 2024-01-02T03:04:06.000Z
  Last record    5:${"f".repeat(64)}
  Expected head  9:${"e".repeat(64)}: beyond the end

Records
  Valid                  4
  Valid, behind a fault  2: seq 3, 5
  Invalid                1: seq 2
  Missing                1: seq 4 …
  Redacted               0
  Subjects shredded      0
  Chain                  broken

Checkpoint of the log
  Status                 verified
  Origin                 example.com/log
  Records                6
  Root                   ab
  Records have the root  not checked
  Signed by              example.com/log
  Witness  Cosigned
  w1       2024-05-01T00:00:00.000Z
  w2       no

Writers
  Named                     1
  Records without a writer  1
  Writer  Records  First seq  Last seq
  w-1     3        0          5

Leadership
  Changes  1
  Seq  Epoch  Holder  Time  Note
  1    4      w-1     7     not the next epoch

Types
  Different ones  2
  Type           Records
  LeaderElected  1
  T              3

Aggregates
  Different ones  more than 1
  Aggregate  Records
  a          4`;

describe("an audit's report", () => {
  it("reads so", () => {
    expect(auditText(auditDocument(REPORT, "rynxs 0.1.0"))).toBe(TEXT);
  });

  it("has the same in Markdown and in HTML", () => {
    const document = auditDocument(REPORT, "rynxs 0.1.0");
    const markdown = auditMarkdown(document);
    expect(markdown).toContain("**NOT VALID: the log is not what was written or signed**");
    expect(markdown).toContain(
      "\n| Writer | Records | First seq | Last seq |\n| --- | --- | --- | --- |\n| w-1 | 3 | 0 | 5 |\n",
    );
    expect(markdown).toContain("\n- Missing: 1: seq 4 …\n");
    const html = auditHtml(document);
    for (const { title, facts, table } of document.sections) {
      expect(html).toContain(`<h2>${title}</h2>`);
      for (const [label, value] of facts) expect(html).toContain(`<dt>${label}</dt><dd>${value}</dd>`);
      for (const cell of table?.rows.flat() ?? []) expect(html).toContain(`<td>${cell}</td>`);
    }
    expect(html).toMatch(/^<!doctype html>\n<html lang="en">/);
    expect(html).toContain("@media print");
    expect(html).not.toMatch(/<script|<link|<img|src=|href=|url\(|@import/);
  });

  it("is the text that it is about, whatever the log's writers wrote", () => {
    const evil = `<script>alert("x")</script>|a|\n# b\u001b[2J\u202e [c](https://d.example) \`e\` **f** '"&amp;`;
    const top = [{ name: evil, count: 1 }];
    const tallied = { distinct: 1, isComplete: true, top };
    const document = auditDocument(
      {
        ...REPORT,
        location: evil,
        contents: {
          ...REPORT.contents,
          types: tallied,
          writers: [{ id: evil, count: 1, firstSeq: 0, lastSeq: 0 }],
          leaders: [{ seq: 1, ts: 7, epoch: 4, holder: evil, isNext: true }],
        },
      },
      "rynxs",
    );
    const html = auditHtml(document);
    const shown =
      "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;|a|\\u000a# b\\u001b[2J\\u202e [c](https://d.example) `e` **f** &#39;&quot;&amp;amp;";
    expect(html.split(shown)).toHaveLength(5);
    expect(html).not.toContain("<script");
    const markdown = auditMarkdown(document);
    expect(markdown).not.toMatch(/<|[^\\]`|https:\/\/|\p{Cf}|(?!\n)\p{Cc}/u);
    const rows = markdown.split("\n").filter((line) => line.startsWith("| &lt;script"));
    expect(rows).toHaveLength(2);
    // As many cells as ever: pipes in a value are its own.
    expect(rows.map((row) => row.split(/(?<!\\)\|/).length)).toEqual([6, 4]);
    expect(auditText(document)).not.toMatch(/\p{Cf}|(?!\n)\p{Cc}/u);
  });
});

describe("rynxs audit", () => {
  const audit = async (log: string, ...args: string[]) => rynxs(["audit", "--store", `file:${log}`, ...args]);
  const base = join(VECTORS, "tampered/base.jsonl");

  it("ends with 0 for a log that is good, and with 2 for one that is not", async () => {
    const good = await audit(base);
    expect([good.code, good.stderr]).toEqual([0, ""]);
    expect(good.stdout).toMatch(/^VALID: every record is whole and linked\n[^]*\n {2}Valid +60\n/);
    const bad = await audit(join(VECTORS, "tampered/payload-changed.jsonl"), "--json");
    expect([bad.code, bad.stderr]).toEqual([2, ""]);
    expect(JSON.parse(bad.stdout)).toMatchObject({
      verdict: "invalid",
      exit_code: 2,
      findings: [{ code: "HASH_MISMATCH", seq: 17, verdict: "invalid" }],
      range: { asked: { from: 0, to: null }, found: { first: 0, last: 59 } },
      records: { valid: 59, invalid: { count: 1, ranges: [[17, 17]], complete: true }, apart: { ranges: [[18, 59]] } },
    });
    const older = await audit(
      join(VECTORS, "tampered/tail-truncated.jsonl"),
      "--expect-head",
      `59:${"a".repeat(64)}`,
      "--json",
    );
    expect(older.code).toBe(2);
    expect(JSON.parse(older.stdout)).toMatchObject({
      verdict: "head_older_than_expected",
      expected_head: { seq: 59, status: "beyond_the_end" },
      records: { missing: { ranges: [[50, 59]] } },
    });
    const none = await audit(join(folder, "none.log"));
    expect([none.code, none.stdout]).toEqual([1, ""]);
  });

  it("writes a file whole, in the format of its name, and says what it came to", async () => {
    for (const [name, begin] of [
      ["a.html", "<!doctype html>"],
      ["a.md", "# Audit"],
      ["a.json", '{"verdict":'],
      ["a.txt", "VALID"],
    ] as const) {
      const path = join(folder, name);
      const { code, stdout } = await audit(base, "--output", path);
      expect([code, stdout]).toEqual([0, `valid: ${path}\n`]);
      expect((await readFile(path, "utf8")).startsWith(begin)).toBe(true);
    }
    const path = join(folder, "b.html");
    const told = JSON.parse((await audit(base, "--output", path, "--json")).stdout) as Record<string, unknown>;
    expect(told).toMatchObject({ verdict: "valid", file: path, bytes: (await stat(path)).size });
    expect(await readFile(path, "utf8")).toMatch(/^<!doctype/);
    expect((await audit(base, "--output", join(folder, "missing/x.html"))).code).toBe(1);
  });

  it("checks what was signed with the keys that it is given, as texts or in files", async () => {
    const { path } = newLog(folder);
    const store = await FileEventStore.open({ path });
    const range = CompactRange.empty();
    for (let i = 0; i < 5; i++) {
      const result = await store.append({ type: "T", aggregateId: "a", payload: { i } });
      if (result.committed) range.append(recordLeaf(result.eventHash));
    }
    const log = localSigner("example.com/log", Buffer.alloc(32, 1));
    const witness = localCosigner("w1", Buffer.alloc(32, 2), () => 5000);
    const text = checkpointText({ origin: log.key.name, size: 5, root: range.root() });
    const note = formatNote({ text, signatures: [await log.sign(text), await witness.sign(text)] });
    await store.derived.objects.putIfAbsent(`${store.derived.root}_tlog/checkpoint`, Buffer.from(note));
    await store.close();
    const [keyFile, kept] = [join(folder, "log.vkey"), join(folder, "kept")];
    await writeFile(keyFile, `${formatVerifierKey(log.key)}\n`);
    await writeFile(kept, note);
    const witnessed = ["--witness-key", formatVerifierKey(witness.key)];
    const good = await audit(path, "--key", keyFile, "--checkpoint", kept, ...witnessed, "--json");
    expect(good.code).toBe(0);
    expect(JSON.parse(good.stdout)).toMatchObject({
      verdict: "valid",
      checkpoints: [
        { source: "stored", tree: "matches", witnesses: [{ name: "w1", cosigned_at: "1970-01-01T00:00:05.000Z" }] },
        { source: "given", tree: "matches" },
      ],
    });
    const other = formatVerifierKey(localCosigner("w2", Buffer.alloc(32, 3), () => 0).key);
    const unwitnessed = await audit(path, "--key", formatVerifierKey(log.key), "--witness-key", other);
    expect(unwitnessed.code).toBe(2);
    expect(unwitnessed.stdout).toMatch(/^NOT WITNESSED/);
    const lines = (await readFile(path, "utf8")).split("\n");
    await writeFile(path, `${lines.slice(0, 3).join("\n")}\n`);
    const cut = await audit(path, "--key", keyFile, "--json");
    expect([cut.code, (JSON.parse(cut.stdout) as { verdict: string }).verdict]).toEqual([
      2,
      "head_older_than_expected",
    ]);
    const keyless = await audit(path, "--checkpoint", kept);
    expect([keyless.code, keyless.stderr]).toEqual([1, expect.stringContaining("no key of the log")]);
    expect((await audit(path, "--key", join(folder, "nowhere"))).code).toBe(1);
    expect((await audit(path, "--key", kept)).code).toBe(1);
  });
});
