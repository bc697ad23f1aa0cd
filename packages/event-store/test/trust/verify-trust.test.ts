import { describe, expect, it } from "vitest";
import { memoryObjects, type ReadOptions } from "../../src/index.js";
import {
  inclusionChecker,
  processMemory,
  verifyTrust,
  openCheckpoint,
  type TrustOptions,
} from "../../src/trust/index.js";
import {
  codeOf,
  copyOf,
  grow,
  KEY,
  openLog,
  OTHER_KEY,
  overwrite,
  sign,
  signing,
  tlogOf,
  type TestLog,
  WITNESS_KEY,
} from "./logs.js";

const keys = [KEY.key];
const verify = (log: TestLog, options: Partial<TrustOptions> = {}): ReturnType<typeof verifyTrust> =>
  verifyTrust(log.store, { keys, ...options });

async function signedLog(
  count: number,
  flavour = "",
): Promise<TestLog & { readonly signer: ReturnType<typeof signing> }> {
  const log = await openLog();
  const signer = signing();
  await grow(log.store, count, flavour);
  await sign(log.store, { signers: [signer] });
  return { ...log, signer };
}

/** The other's tiles and checkpoints. */
async function takeTlog(to: TestLog, from: TestLog): Promise<void> {
  for (const path of (await tlogOf(to.objects)).keys()) await to.objects.delete(`log/_tlog/${path}`);
  for (const [path, body] of await tlogOf(from.objects)) await overwrite(to.objects, `log/_tlog/${path}`, body);
}

describe("verification with a key", () => {
  it("says what was verified, and what is not signed yet", async () => {
    const log = await signedLog(300);
    await grow(log.store, 20);
    const report = await verify(log);
    expect(report).toMatchObject({ events: 320, from: 0, unsigned: 20, remembered: null, checkpoint: { size: 300 } });
    expect(report.head).toEqual(await log.store.head());
  });

  it("costs what is new when it remembers", async () => {
    const log = await signedLog(20_000);
    const memory = processMemory();
    await verify(log, { memory });
    await grow(log.store, 1000);
    await sign(log.store, { signers: [log.signer] });
    log.requests.length = 0;
    const report = await verify(log, { memory });
    expect(report).toMatchObject({ events: 1000, from: 20_000, remembered: 20_000, unsigned: 0 });
    expect(log.requests.length).toBeLessThan(12);
    expect(await verify(log, { memory })).toMatchObject({ events: 0, from: 21_000, remembered: 21_000 });
    expect(await verify(log, { memory, full: true })).toMatchObject({ events: 21_000, from: 0 });
  });

  it("goes on from a checkpoint that was kept as text", async () => {
    const log = await signedLog(600);
    const kept = (await tlogOf(log.objects)).get("checkpoint") ?? Buffer.alloc(0);
    await grow(log.store, 100);
    await sign(log.store, { signers: [log.signer] });
    expect(await verify(log, { fromCheckpoint: kept })).toMatchObject({ events: 100, from: 600 });
    // Also where the tiles do not help.
    for (const path of (await tlogOf(log.objects)).keys())
      if (!path.startsWith("checkpoint")) await log.objects.delete(`log/_tlog/${path}`);
    expect(await verify(log, { fromCheckpoint: kept })).toMatchObject({ events: 700, from: 0 });
    expect(await verify(log, { checkpoint: kept })).toMatchObject({ unsigned: 100, checkpoint: { size: 600 } });
  });

  it("remembers the newest, also when it is asked about an older one", async () => {
    const log = await signedLog(10);
    const older = (await tlogOf(log.objects)).get("checkpoint");
    await grow(log.store, 10);
    await sign(log.store, { signers: [log.signer] });
    const memory = processMemory();
    await verify(log, { memory });
    const before = memory.text;
    expect(await verify(log, { memory, checkpoint: older })).toMatchObject({ unsigned: 10, remembered: 20, from: 0 });
    expect(memory.text).toBe(before);
  });

  it("gives the chain's own verdict first", async () => {
    const log = await signedLog(300);
    const memory = processMemory();
    await verify(log, { memory });
    await grow(log.store, 5);
    const key = "log/0000000300.json";
    const body = (await log.objects.get(key))?.body.toString().replace('"i":2', '"i":3') ?? "";
    await overwrite(log.objects, key, Buffer.from(body));
    for (const options of [{}, { memory }])
      await expect(verify(log, options)).rejects.toMatchObject({ code: "HASH_MISMATCH", seq: 302 });
  });
});

describe("attacks", () => {
  it("a suffix rewritten with all its hashes", async () => {
    const log = await signedLog(20, "good");
    const memory = processMemory();
    await verify(log, { memory });
    const forged = await openLog();
    await grow(forged.store, 10, "good");
    await grow(forged.store, 15, "bad");
    await takeTlog(forged, log);
    expect(await codeOf(verify(forged))).toBe("TREE_MISMATCH");
    expect(await codeOf(verify(forged, { memory }))).toBe("TREE_MISMATCH");
    expect((await forged.store.verify()).valid).toBe(true);
  });

  it("the end cut off, with the head", async () => {
    const log = await signedLog(20);
    const cut = await openLog();
    await grow(cut.store, 10);
    await takeTlog(cut, log);
    const memory = processMemory();
    await verify(log, { memory });
    for (const options of [{}, { memory }]) expect(await codeOf(verify(cut, options))).toBe("ROLLED_BACK");
  });

  it("an old state put back: of the checkpoints, and of everything", async () => {
    const log = await signedLog(10);
    const old = await copyOf(log.objects);
    const memory = processMemory();
    await grow(log.store, 10);
    await sign(log.store, { signers: [log.signer] });
    await verify(log, { memory });
    const before = await openLog(old);
    const rolled = verify(before, { memory });
    await expect(rolled).rejects.toMatchObject({
      code: "ROLLED_BACK",
      facts: { expected: 20, actual: 10, file: "memory:20-10" },
    });
    expect(memory.evidence.get("20-10")).toContain("\n20\n");
    expect(memory.evidence.get("20-10")).toContain("\n10\n");
    await takeTlog(log, before);
    expect(await codeOf(verify(log, { memory }))).toBe("ROLLED_BACK");
    for (const path of (await tlogOf(log.objects)).keys()) await log.objects.delete(`log/_tlog/${path}`);
    expect(await codeOf(verify(log, { memory }))).toBe("ROLLED_BACK");
    expect(await codeOf(verify(log))).toBe("SIGNATURE_INVALID");
  });

  it.each([20, 25, 40])("a fork of %i records that the key has signed too", async (size) => {
    const log = await signedLog(20, "one");
    const memory = processMemory();
    await verify(log, { memory });
    const fork = await signedLog(size, "two");
    expect(await codeOf(verify(fork))).toBe("none");
    await expect(verify(fork, { memory })).rejects.toMatchObject({
      code: "FORKED",
      facts: { expected: 20, actual: size },
    });
    expect([...memory.evidence.values()].join("")).toContain(`\n${String(size)}\n`);
    // Two verifiers who compare what they were shown.
    const seen = (await tlogOf(log.objects)).get("checkpoint");
    expect(await codeOf(verify(fork, { fromCheckpoint: seen }))).toBe("FORKED");
    const forged = (await tlogOf(fork.objects)).get("checkpoint");
    expect(await codeOf(verify(log, { memory, checkpoint: forged }))).toBe(
      size === 20 ? "FORKED" : size > 20 ? "ROLLED_BACK" : "none",
    );
    // The true log is still believed.
    expect(await codeOf(verify(log, { memory }))).toBe("none");
  });

  it("a copy under another prefix", async () => {
    const log = await signedLog(20);
    const copy = await openLog(await copyOf(log.objects, "log/", "copy/"), "copy");
    expect(await codeOf(verify(copy))).toBe("ORIGIN_MISMATCH");
    expect(await codeOf(verify(copy, { origin: "rynxs.s3/bucket/copy" }))).toBe("ORIGIN_MISMATCH");
    expect(await codeOf(verify(copy, { origin: KEY.key.name }))).toBe("none");
  });

  it("a writer's rights without the signing key, and another key", async () => {
    const log = await signedLog(20);
    await grow(log.store, 5);
    // All that a writer can do is to sign with a key of its own.
    for (const path of (await tlogOf(log.objects)).keys()) await log.objects.delete(`log/_tlog/${path}`);
    await sign(log.store, { signers: [signing(OTHER_KEY)] });
    expect(await codeOf(verify(log))).toBe("SIGNATURE_INVALID");
    expect(await codeOf(verify(log, { keys: [OTHER_KEY.key] }))).toBe("none");
  });

  it("a checkpoint changed by a byte", async () => {
    const log = await signedLog(20);
    const note = (await tlogOf(log.objects)).get("checkpoint") ?? Buffer.alloc(0);
    for (let at = 0; at < note.length; at++) {
      const tampered = Buffer.from(note);
      tampered.writeUInt8((note[at] ?? 0) ^ 0x01, at);
      expect(["SIGNATURE_INVALID", "ORIGIN_MISMATCH"], String(at)).toContain(
        await codeOf(verify(log, { checkpoint: tampered })),
      );
    }
  });

  it("too few witnesses", async () => {
    const log = await signedLog(5);
    expect(await codeOf(verify(log, { witnesses: [WITNESS_KEY], quorum: 1 }))).toBe("NOT_WITNESSED");
  });

  it("a verifier's memory that was changed", async () => {
    const log = await signedLog(20);
    const memory = processMemory();
    await verify(log, { memory });
    const good = memory.text ?? "";
    const state = JSON.parse(good) as Record<string, unknown>;
    for (const broken of [
      { ...state, roots: [] },
      { ...state, roots: ["AAAA"] },
      { ...state, roots: [Buffer.alloc(32).toString("base64"), Buffer.alloc(32).toString("base64")] },
      { ...state, checkpoint: undefined },
      [],
      null,

      { ...state, head: "x" },
      { ...state, verifier: 2 },
    ]) {
      memory.text = JSON.stringify(broken);
      expect(await codeOf(verify(log, { memory }))).toBe("INVALID_CONFIG");
    }
    memory.text = JSON.stringify({ ...state, checkpoint: String(state["checkpoint"]).replace("\n20\n", "\n21\n") });
    expect(await codeOf(verify(log, { memory }))).toBe("SIGNATURE_INVALID");
  });
});

describe("reads that are proven", () => {
  it("give what was signed, and end there", async () => {
    const log = await signedLog(600, "good");
    await grow(log.store, 20);
    const checkpoint = openCheckpoint((await tlogOf(log.objects)).get("checkpoint") ?? "", { keys });
    const inclusion = inclusionChecker(log.store, checkpoint);
    log.requests.length = 0;
    const seqs: number[] = [];
    for await (const { seq } of log.store.read({ aggregateId: "a-3", verify: "inclusion", inclusion })) seqs.push(seq);
    expect(seqs.length).toBe(86);
    expect(Math.max(...seqs)).toBeLessThan(600);
    expect(log.requests.filter((request) => request.includes("_tlog/")).length).toBeLessThan(6);
    const drain = async (options: ReadOptions): Promise<void> => {
      for await (const _ of log.store.read(options));
    };
    expect(await codeOf(drain({ verify: "inclusion" }))).toBe("INVALID_CONFIG");
    expect(await codeOf(drain({ toSeq: 600, verify: "inclusion", inclusion }))).toBe("INVALID_CONFIG");
  });

  it("refuse a record that was not signed, and tiles that were changed", async () => {
    const log = await signedLog(600, "good");
    const checkpoint = openCheckpoint((await tlogOf(log.objects)).get("checkpoint") ?? "", { keys });
    const forged = await openLog(memoryObjects());
    await grow(forged.store, 600, "bad");
    await takeTlog(forged, log);
    const read = async (of: TestLog): Promise<void> => {
      const inclusion = inclusionChecker(of.store, checkpoint);
      for await (const _ of of.store.read({ type: "T1", verify: "inclusion", inclusion }));
    };
    expect(await codeOf(read(forged))).toBe("TREE_MISMATCH");
    expect(await codeOf(read(log))).toBe("none");
    for (const [path, body] of await tlogOf(log.objects)) {
      if (!/^tile\/[0-9]/.test(path)) continue;
      const tampered = Buffer.from(body);
      tampered.writeUInt8((tampered[0] ?? 0) ^ 1, 0);
      await overwrite(log.objects, `log/_tlog/${path}`, tampered);
      expect(await codeOf(read(log)), path).toBe("TREE_MISMATCH");
      await overwrite(log.objects, `log/_tlog/${path}`, body);
    }
  });
});
