import { describe, expect, it } from "vitest";
import { memoryObjects } from "../../src/index.js";
import {
  checkpoint,
  Checkpointer,
  commandSigner,
  keyTextSigner,
  openCheckpoint,
  parsePrivateKey,
  formatPrivateKey,
  processMemory,
  recordLeaf,
  CompactRange,
  parseTlogPath,
} from "../../src/trust/index.js";
import { codeOf, copyOf, grow, KEY, openLog, ORIGIN, OTHER_KEY, overwrite, sign, signing, tlogOf } from "./logs.js";
import { fc, test } from "./property.js";

async function rootOf(log: Awaited<ReturnType<typeof openLog>>): Promise<Buffer> {
  const range = CompactRange.empty();
  for await (const { eventHash } of log.store.readRecords()) range.append(recordLeaf(eventHash));
  return range.root();
}

describe("a checkpoint", () => {
  it("signs the tree over the records' hashes, and says so for ever", async () => {
    const log = await openLog();
    await grow(log.store, 700);
    const note = await sign(log.store, { every: 300 });
    const opened = openCheckpoint(note, { keys: [KEY.key] });
    expect(opened).toMatchObject({ origin: ORIGIN, size: 700, root: await rootOf(log) });
    const tlog = await tlogOf(log.objects);
    expect([...tlog.keys()].filter((path) => path.startsWith("checkpoint"))).toEqual([
      "checkpoint",
      "checkpoints/300",
      "checkpoints/600",
      "checkpoints/700",
    ]);
    expect(tlog.get("checkpoint")).toEqual(tlog.get("checkpoints/700"));
    for (const path of tlog.keys()) expect(parseTlogPath(path), path).not.toBeNull();
  });

  it("gives the same tiles in one go, in many, and after they were deleted", async () => {
    const log = await openLog();
    const piecewise = signing();
    for (const step of [1, 255, 1, 300, 43, 200]) {
      await grow(log.store, step);
      await sign(log.store, { signers: [piecewise] });
    }
    const sizes = [1, 256, 257, 557, 600, 800];
    const inSteps = await tlogOf(log.objects);
    const other = await openLog(await copyOf(log.objects, "log/0", "log/0"));
    const whole = signing();
    const checkpointer = new Checkpointer(other.store, { signers: [whole] });
    await checkpointer.run();
    const inOne = await tlogOf(other.objects);
    for (const [path, body] of inOne) expect(inSteps.get(path)?.equals(body), path).toBe(true);
    expect([...inSteps.keys()].filter((path) => path.startsWith("checkpoints/"))).toEqual(
      sizes.map((size) => `checkpoints/${String(size)}`).sort(),
    );

    for (const path of inSteps.keys()) if (path.startsWith("tile/")) await log.objects.delete(`log/_tlog/${path}`);
    await sign(log.store, { signers: [piecewise], rebuild: true });
    const rebuilt = await tlogOf(log.objects);
    for (const path of inOne.keys())
      expect(rebuilt.get(path)?.equals(inSteps.get(path) ?? Buffer.alloc(0)), path).toBe(true);
  });

  it("makes tiles anew by itself where it has none to go on from", async () => {
    const log = await openLog();
    const signer = signing();
    await grow(log.store, 300);
    await sign(log.store, { signers: [signer] });
    for (const path of (await tlogOf(log.objects)).keys())
      if (!path.startsWith("checkpoint")) await log.objects.delete(`log/_tlog/${path}`);
    await grow(log.store, 10);
    const note = await sign(log.store, { signers: [signer] });
    expect(openCheckpoint(note, { keys: [KEY.key] })).toMatchObject({ size: 310, root: await rootOf(log) });
    expect((await tlogOf(log.objects)).has("tile/0/000")).toBe(true);
  });

  it("costs what is new, and what it costs is few requests", async () => {
    const log = await openLog();
    const signer = signing();
    await grow(log.store, 20_000);
    await sign(log.store, { signers: [signer] });
    await grow(log.store, 1000);
    log.requests.length = 0;
    // A process that begins anew.
    await checkpoint(log.store, { signers: [signer] });
    const gets = log.requests.filter((request) => request.startsWith("GET"));
    const puts = log.requests.filter((request) => request.startsWith("PUT"));
    expect(gets.filter((key) => /log\/[0-9]{10}\.json$/.test(key)).length).toBeLessThan(8);
    expect(log.requests.length).toBeLessThan(40);
    // Four full tiles and bundles, partial ones, edge, and the two checkpoints.
    expect(puts.length).toBeLessThan(16);
  });

  it("is signed by several keys while they are rotated", async () => {
    const log = await openLog();
    await grow(log.store, 5);
    const [old, next] = [signing(KEY), signing(OTHER_KEY)];
    await sign(log.store, { signers: [old] });
    await grow(log.store, 5);
    const both = await sign(log.store, { signers: [old, next] });
    expect(openCheckpoint(both, { keys: [KEY.key] }).signatures).toHaveLength(1);
    expect(openCheckpoint(both, { keys: [KEY.key, OTHER_KEY.key] }).signatures).toHaveLength(2);
    await grow(log.store, 5);
    const after = await sign(log.store, { signers: [next] });
    expect(openCheckpoint(after, { keys: [OTHER_KEY.key] }).size).toBe(15);
    expect(await codeOf(sign(log.store, { signers: [old] }))).toBe("SIGNATURE_INVALID");
  });

  it("of two at once does no harm", async () => {
    const log = await openLog();
    const again = await openLog(log.objects);
    await grow(log.store, 600);
    const shared = processMemory();
    await Promise.all([
      sign(log.store, { signers: [signing(KEY, shared)], every: 7 }),
      sign(again.store, { signers: [signing(KEY, shared)], every: 5 }),
      sign(again.store, { signers: [signing(KEY)], every: 11 }),
    ]);
    const note = (await tlogOf(log.objects)).get("checkpoint") ?? "";
    expect(openCheckpoint(note, { keys: [KEY.key] })).toMatchObject({ size: 600, root: await rootOf(log) });
  });

  it("never moves back what another one has moved forward meanwhile", async () => {
    const log = await openLog();
    await grow(log.store, 20);
    const signer = signing();
    const cosign = async (note: string): Promise<string> => {
      await grow(log.store, 10);
      await sign(log.store);
      return note;
    };
    const { latest } = await checkpoint(log.store, { signers: [signer], cosign });
    expect(latest?.size).toBe(30);
    const tlog = await tlogOf(log.objects);
    expect(openCheckpoint(tlog.get("checkpoint") ?? "", { keys: [KEY.key] }).size).toBe(30);
    expect(tlog.has("checkpoints/20")).toBe(true);
  });

  it("goes on after a crash between any two of its writes", async () => {
    const source = memoryObjects();
    const first = await openLog(source);
    const state = processMemory();
    await grow(first.store, 300);
    await sign(first.store, { signers: [signing(KEY, state)] });
    await grow(first.store, 300);
    const before = state.text;
    for (let writes = 0; ; writes++) {
      const objects = await copyOf(source);
      const log = await openLog(objects);
      const memory = processMemory(before);
      let left = writes;
      const put = objects.putIfAbsent.bind(objects);
      const replace = objects.replaceIfMatch.bind(objects);
      const crash = (): void => {
        if (left-- <= 0) throw new Error("crash");
      };
      objects.putIfAbsent = async (...args) => {
        crash();
        return put(...args);
      };
      objects.replaceIfMatch = async (...args) => {
        crash();
        return replace(...args);
      };
      const crashed = await codeOf(sign(log.store, { signers: [signing(KEY, memory)] }));
      left = Infinity;
      const note = await sign(log.store, { signers: [signing(KEY, memory)] });
      expect(openCheckpoint(note, { keys: [KEY.key] })).toMatchObject({ size: 600 });
      expect(await codeOf(sign(log.store, { signers: [signing(KEY, memory)] }))).toBe("none");
      if (crashed === "none") {
        expect(writes).toBeGreaterThan(6);
        break;
      }
    }
  });

  it("goes on in the same process after any of its writes failed, and leaves no tile out", async () => {
    const whole = await openLog();
    await grow(whole.store, 300);
    await sign(whole.store);
    const expected = [...(await tlogOf(whole.objects)).keys()];
    for (let failing = 0; failing < expected.length; failing++) {
      const log = await openLog();
      await grow(log.store, 300);
      const put = log.objects.putIfAbsent.bind(log.objects);
      let left = failing;
      log.objects.putIfAbsent = async (...args) => {
        if (left-- === 0) throw new Error("no answer");
        return put(...args);
      };
      const checkpointer = new Checkpointer(log.store, { signers: [signing()] });
      await expect(checkpointer.run()).rejects.toThrow("no answer");
      await checkpointer.run();
      expect([...(await tlogOf(log.objects)).keys()]).toEqual(expected);
    }
  });
});

describe("a signer refuses", () => {
  it("a log whose records were rewritten, also with all their hashes", async () => {
    const log = await openLog();
    const memory = processMemory();
    await grow(log.store, 20, "good");
    await sign(log.store, { signers: [signing(KEY, memory)] });
    const forged = await openLog();
    await grow(forged.store, 10, "good");
    await grow(forged.store, 15, "bad");
    expect(await codeOf(sign(forged.store, { signers: [signing(KEY, memory)] }))).toBe("TREE_MISMATCH");
    expect((await tlogOf(forged.objects)).has("checkpoint")).toBe(false);
    // The same, with the tiles and checkpoints of the true one.
    for (const [path, body] of await tlogOf(log.objects)) await overwrite(forged.objects, `log/_tlog/${path}`, body);
    expect(await codeOf(sign(forged.store, { signers: [signing(KEY, memory)] }))).toBe("TREE_MISMATCH");
    expect(await codeOf(sign(forged.store, { signers: [signing()] }))).toBe("TREE_MISMATCH");
  });

  it("on the way already, before it has come to the end", async () => {
    const log = await openLog();
    const memory = processMemory();
    await grow(log.store, 22, "good");
    await sign(log.store, { signers: [signing(KEY, memory)] });
    const forged = await openLog();
    await grow(forged.store, 30, "bad");
    for (const before of [false, true]) {
      // Its memory, or the stored checkpoint alone.
      if (before)
        for (const [path, body] of await tlogOf(log.objects))
          if (path.startsWith("checkpoint")) await overwrite(forged.objects, `log/_tlog/${path}`, body);
      const published = (await tlogOf(forged.objects)).get("checkpoint");
      const signer = before ? signing() : signing(KEY, memory);
      expect(await codeOf(sign(forged.store, { signers: [signer], every: 5, rebuild: true }))).toBe("TREE_MISMATCH");
      const after = await tlogOf(forged.objects);
      expect(after.get("checkpoint")).toEqual(published);
      expect([...after.keys()].some((path) => path === "checkpoints/25" || path === "checkpoints/30")).toBe(false);
    }
  });

  it("what somebody else has stored while it signed, if that is another log", async () => {
    for (const size of [10, 20]) {
      const fork = await openLog();
      await grow(fork.store, size, "bad");
      const theirs = await sign(fork.store);
      const log = await openLog();
      await grow(log.store, 20, "good");
      // Between its look at the stored checkpoint and its own write.
      const cosign = async (note: string): Promise<string> => {
        await overwrite(log.objects, "log/_tlog/checkpoint", Buffer.from(theirs));
        return note;
      };
      expect(await codeOf(sign(log.store, { cosign }))).toBe("FORKED");
      expect((await tlogOf(log.objects)).get("checkpoint")?.toString()).toBe(theirs);
    }
    const fork = await openLog();
    await grow(fork.store, 20, "bad");
    const log = await openLog();
    await grow(log.store, 20, "good");
    await overwrite(log.objects, "log/_tlog/checkpoints/20", Buffer.from(await sign(fork.store)));
    expect(await codeOf(sign(log.store))).toBe("FORKED");
    expect((await tlogOf(log.objects)).has("checkpoint")).toBe(false);
  });

  it("another text than its own, from those who were to sign too", async () => {
    const log = await openLog();
    await grow(log.store, 5);
    const early = await sign(log.store);
    await grow(log.store, 5);
    expect(await codeOf(sign(log.store, { cosign: () => Promise.resolve(early) }))).toBe("SIGNATURE_INVALID");
  });

  it("to go on from entries that are not the log's", async () => {
    const log = await openLog();
    const signer = signing();
    await grow(log.store, 20);
    await sign(log.store, { signers: [signer] });
    await grow(log.store, 1);
    const path = "tile/entries/000.p/20";
    const body = Buffer.from((await tlogOf(log.objects)).get(path) ?? "");
    for (const at of [0, 1, 2, 679]) {
      const tampered = Buffer.from(body);
      tampered.writeUInt8((tampered[at] ?? 0) ^ 1, at);
      await overwrite(log.objects, `log/_tlog/${path}`, tampered);
      expect(await codeOf(sign(log.store, { signers: [signer] })), String(at)).toBe("TREE_MISMATCH");
    }
    await overwrite(log.objects, `log/_tlog/${path}`, body);
    expect(await codeOf(sign(log.store, { signers: [signer] }))).toBe("none");
  });

  it("a log that ends before what it signed", async () => {
    const log = await openLog();
    const memory = processMemory();
    await grow(log.store, 20);
    await sign(log.store, { signers: [signing(KEY, memory)] });
    const cut = await openLog();
    await grow(cut.store, 10);
    expect(await codeOf(sign(cut.store, { signers: [signing(KEY, memory)] }))).toBe("ROLLED_BACK");
    for (const [path, body] of await tlogOf(log.objects)) await overwrite(cut.objects, `log/_tlog/${path}`, body);
    expect(await codeOf(sign(cut.store, { signers: [signing()] }))).toBe("ROLLED_BACK");
  });

  it("what somebody else has signed with its key for another log", async () => {
    const log = await openLog();
    const memory = processMemory();
    await grow(log.store, 20, "good");
    await sign(log.store, { signers: [signing(KEY, memory)] });
    const fork = await openLog();
    await grow(fork.store, 30, "bad");
    await sign(fork.store, { signers: [signing()] });
    expect(await codeOf(sign(fork.store, { signers: [signing(KEY, memory)] }))).toBe("FORKED");
  });

  it("a checkpoint of a key that nobody trusts, and a log of another name", async () => {
    const log = await openLog();
    await grow(log.store, 5);
    await sign(log.store, { signers: [signing(OTHER_KEY)] });
    await grow(log.store, 5);
    expect(await codeOf(sign(log.store))).toBe("SIGNATURE_INVALID");
    const copy = await openLog(await copyOf(log.objects, "log/", "other/"), "other");
    expect(await codeOf(sign(copy.store))).toBe("ORIGIN_MISMATCH");
  });

  it("to write over a tile that is not the log's", async () => {
    const log = await openLog();
    const signer = signing();
    await grow(log.store, 300);
    await sign(log.store, { signers: [signer] });
    const tiles = [...(await tlogOf(log.objects))].filter(([path]) => path.startsWith("tile/"));
    expect(tiles.length).toBe(5);
    for (const [path, body] of tiles) {
      const tampered = Buffer.from(body);
      tampered.writeUInt8((tampered[5] ?? 0) ^ 1, 5);
      await overwrite(log.objects, `log/_tlog/${path}`, tampered);
      expect(await codeOf(sign(log.store, { signers: [signer], rebuild: true })), path).toBe("TREE_MISMATCH");
      await overwrite(log.objects, `log/_tlog/${path}`, body);
    }
    expect(await codeOf(sign(log.store, { signers: [signer], rebuild: true }))).toBe("none");
  });

  it("without a memory that it can read", async () => {
    const log = await openLog();
    await grow(log.store, 5);
    for (const text of ["", "{}", '{"signer":1,"origin":"other","size":0,"root":""}', "[]"])
      expect(await codeOf(sign(log.store, { signers: [signing(KEY, processMemory(text))] }))).toBe("INVALID_CONFIG");
  });
});

describe("signing keys", () => {
  // Of golang.org/x/mod/sumdb/note's own tests.
  const GO = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

  it("have the form of Go's", () => {
    const key = parsePrivateKey(GO);
    expect(formatPrivateKey(key)).toBe(GO);
    expect(keyTextSigner(GO).key).toMatchObject({ name: "PeterNeumann", id: 0xc74f20a3 });
  });

  test(
    "that are none are refused, and not shown",
    [
      fc.oneof(
        fc.string(),
        fc.string().map((s) => GO + s),
        fc.nat({ max: GO.length - 1 }).map((n) => GO.slice(0, n)),
      ),
    ],
    (text) => {
      if (text.trim() === GO) return;
      try {
        parsePrivateKey(text);
        expect.unreachable();
      } catch (error) {
        expect(error).toMatchObject({ code: "INVALID_CONFIG" });
        expect(JSON.stringify(error)).not.toContain("AYEKFALVFGyNhPJEMzD1QIDr");
      }
    },
  );

  const asking = (script: string): ReturnType<typeof commandSigner> =>
    commandSigner({ key: KEY.key, command: [process.execPath, "-e", script], timeoutMs: 20_000 });
  const text = `${ORIGIN}\n1\n${Buffer.alloc(32).toString("base64")}\n`;

  it("may be behind a command, whose answer is verified", async () => {
    const signature = await KEY.sign(text);
    const line = `— ${signature.name} ${Buffer.concat([Buffer.from(KEY.key.id.toString(16).padStart(8, "0"), "hex"), signature.signature]).toString("base64")}`;
    const script = (said: string): string =>
      `let got="";process.stdin.on("data",(d)=>got+=d).on("end",()=>{if(got!==${JSON.stringify(text)})process.exit(3);console.log(${JSON.stringify(said)})})`;
    expect(await asking(script(line)).sign(text)).toEqual(signature);
    const other = await OTHER_KEY.sign(text);
    const otherLine = `— ${other.name} ${Buffer.concat([Buffer.from(OTHER_KEY.key.id.toString(16).padStart(8, "0"), "hex"), other.signature]).toString("base64")}`;
    const forged = `— ${signature.name} ${Buffer.concat([Buffer.from(KEY.key.id.toString(16).padStart(8, "0"), "hex"), other.signature]).toString("base64")}`;
    for (const said of [otherLine, forged, "", "nonsense", `${line}\n${line}`])
      expect(await codeOf(asking(script(said)).sign(text)), said).toBe("UNAVAILABLE");
    await expect(asking('console.error("no such slot");process.exit(1)').sign(text)).rejects.toThrow("no such slot");
    await expect(commandSigner({ key: KEY.key, command: ["/no/such/program"] }).sign(text)).rejects.toMatchObject({
      code: "UNAVAILABLE",
    });
    const hanging = commandSigner({
      key: KEY.key,
      command: [process.execPath, "-e", "setInterval(()=>{},1000)"],
      timeoutMs: 200,
    });
    await expect(hanging.sign(text)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });
});
