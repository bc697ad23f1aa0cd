import { describe, expect, it } from "vitest";
import { kindOf, nearlyEvent } from "../../src/log/key-kind.js";
import { LogKeys } from "../../src/log/keys.js";

const keys = new LogKeys("p");
const run = { first: 0, last: 9999 };

describe("what a key under a log's prefix is", () => {
  it.each([
    [keys.event(0), "event"],
    [keys.event(9_999_999_999), "event"],
    [keys.head, "head"],
    [keys.probe, "probe"],
    [keys.policyProbe, "leftover-probe"],
    ["p/_probe-1234-a", "leftover-probe"],
    [keys.segment(0, 9999), "segment"],
    [keys.indexFile("runs", run), "index"],
    [keys.indexFile("directories", run), "index"],
    [keys.snapshot("balances", 1, 5), "snapshot"],
    [keys.position("mailer"), "position"],
    ["p/_imports/legacy.json", "import"],
    ["p/_tlog/checkpoint", "tlog"],
    ["p/_tlog/checkpoints/0", "tlog"],
    ["p/_tlog/edges/1000000", "tlog"],
    ["p/_tlog/checkpoints/1000000", "tlog"],
    ["p/_tlog/tile/0/000", "tlog"],
    ["p/_tlog/tile/63/x001/x234/067.p/255", "tlog"],
    ["p/_tlog/tile/entries/x001/000", "tlog"],
    ["p/_tlog/tile/entries/001.p/8", "tlog"],
  ])("%s is %s", (key, kind) => {
    expect(kindOf(keys, key)).toEqual({ kind });
  });

  it.each([
    "p/3.json",
    "p/+3.json",
    "p/0000000003.JSON",
    "p/00000000003.json",
    "p/٠٠٠٠٠٠٠٠٠٣.json",
    "p/0000000003.json.tmp",
    "p/",
    "p/_segments/0000009999-0000000000.jsonl.gz",
    "p/_segments/0-9999.jsonl.gz",
    "p/_index/walks/0000000000-0000009999.idx",
    "p/_snapshots/balances/01/0000000005.json",
    "p/_snapshots/0000000005.json",
    "p/_positions/a b.json",
    "p/_imports/.json",
    "p/_probe-a/b",
    "p/_other/0000000005.json",
    "p/_tlog/",
    "p/_tlog/checkpoints/01",
    "p/_tlog/edges/01",
    "p/_tlog/checkpoints/1/2",
    "p/_tlog/tile/64/000",
    "p/_tlog/tile/00/000",
    "p/_tlog/tile/0/1",
    "p/_tlog/tile/0/x000/001",
    "p/_tlog/tile/0/001/x000",
    "p/_tlog/tile/0/001.p/0",
    "p/_tlog/tile/0/001.p/256",
    "p/_tlog/tile/0/001.p/08",
  ])("%s is a stranger", (key) => {
    expect(kindOf(keys, key)).toEqual({ kind: "stranger" });
  });

  it("finds logs within the prefix, by the keys that only a log has", () => {
    for (const name of ["0000000000.json", "_head.json", "_segments/x", "_snapshots/n/1/0000000000.json"])
      expect(kindOf(keys, `p/a/b/${name}`)).toEqual({ kind: "nested", in: "p/a/b/" });
    expect(kindOf(new LogKeys(""), "events/0000000000.json")).toEqual({ kind: "nested", in: "events/" });
    expect(kindOf(keys, "p/a/b.json")).toEqual({ kind: "stranger" });
  });

  it("a head under a key of the caller's own is the head; the usual one is then a stranger", () => {
    const own = new LogKeys("p", "p/_top.json");
    expect(kindOf(own, "p/_top.json")).toEqual({ kind: "head" });
    expect(kindOf(own, "p/_head.json")).toEqual({ kind: "stranger" });
  });

  it.each([
    ["3.json", /1 digits/],
    ["00000000003.json", /11 digits/],
    ["+3.json", /not ten digits alone/],
    ["-1.json", /not ten digits alone/],
    ["0_3.json", /not ten digits alone/],
    ["0000000003.JSON", /small letters/],
    ["٠٠٠٠٠٠٠٠٠٣.json", /not 0 to 9/],
  ])("%s is nearly an event", (name, why) => {
    expect(nearlyEvent(keys, `p/${name}`)).toMatch(why);
  });

  it.each(["readme.json", "a/3.json", "v2-3.json", "3.txt"])("%s is not", (name) => {
    expect(nearlyEvent(keys, `p/${name}`)).toBeNull();
  });
});
