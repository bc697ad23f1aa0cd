import { describe, expect, it } from "vitest";
import {
  formatConsistencyProof,
  parseConsistencyProof,
  parseProof,
  formatProof,
  proveConsistency,
  proveInclusion,
  verifyConsistencyProof,
  verifyProof,
} from "../../src/trust/index.js";
import { codeOf, grow, KEY, openLog, OTHER_KEY, overwrite, sign, signing, tlogOf, WITNESS_KEY } from "./logs.js";
import { fc, test } from "./property.js";

const trust = { keys: [KEY.key] };
const thrown = (work: () => unknown): string => {
  try {
    work();
    return "none";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
};

const log = await openLog();
const signer = signing();
await grow(log.store, 300);
await sign(log.store, { signers: [signer] });
await grow(log.store, 400);
await sign(log.store, { signers: [signer] });
const PROOF = await proveInclusion(log.store, 41);
const CONSISTENCY = await proveConsistency(log.store, 300, 700);

describe("a proof of a record", () => {
  it("is verified of each record with the key alone", async () => {
    for (let seq = 0; seq < 700; seq += seq < 10 || seq > 690 ? 1 : 13) {
      const text = await proveInclusion(log.store, seq);
      expect(text.length).toBeLessThan(5 * 1024);
      const { event, checkpoint } = verifyProof(text, trust);
      expect(event).toMatchObject({ seq, payload: { i: seq < 300 ? seq : seq - 300 } });
      expect(checkpoint.size).toBe(700);
    }
  });

  it("of one in a large tree costs four tiles and the record", async () => {
    const large = await openLog();
    await grow(large.store, 70_000);
    await sign(large.store);
    large.requests.length = 0;
    const text = await proveInclusion(large.store, 12_345);
    expect(text.length).toBeLessThan(5 * 1024);
    const tiles = large.requests.filter((request) => /_tlog\/(tile|edges)\//.test(request));
    expect(tiles.length).toBeLessThanOrEqual(4);
    expect(large.requests.length).toBeLessThanOrEqual(10);
    expect(verifyProof(text, trust).event.seq).toBe(12_345);
  }, 60_000);

  it("can be against an earlier checkpoint", async () => {
    const early = (await tlogOf(log.objects)).get("checkpoints/300")?.toString() ?? "";
    expect(verifyProof(await proveInclusion(log.store, 299, { checkpoint: early }), trust).checkpoint.size).toBe(300);
    expect(await codeOf(proveInclusion(log.store, 300, { checkpoint: early }))).toBe("INVALID_CONFIG");
  });

  it("is not made for what is not signed", async () => {
    expect(await codeOf(proveInclusion(log.store, 700))).toBe("INVALID_CONFIG");
    expect(await codeOf(proveInclusion(log.store, -1))).toBe("INVALID_CONFIG");
    const unsigned = await openLog();
    await grow(unsigned.store, 5);
    expect(await codeOf(proveInclusion(unsigned.store, 1))).toBe("INVALID_CONFIG");
    const forged = await openLog();
    await grow(forged.store, 700, "forged");
    for (const [path, body] of await tlogOf(log.objects)) await overwrite(forged.objects, `log/_tlog/${path}`, body);
    expect(await codeOf(proveInclusion(forged.store, 41))).toBe("TREE_MISMATCH");
  });

  it("does not hold for another seq, record, path, key or log", () => {
    const proof = parseProof(PROOF);
    const other = Buffer.from((proof.extra?.toString() ?? "").replace('"i":41', '"i":42'));
    const hashes = [...proof.hashes];
    for (const changed of [
      { ...proof, index: 40 },
      { ...proof, index: 700 },
      { ...proof, extra: undefined },
      { ...proof, extra: other },
      { ...proof, extra: Buffer.concat([proof.extra ?? Buffer.alloc(0), Buffer.from("\n")]) },
      { ...proof, hashes: hashes.slice(1) },
      { ...proof, hashes: [...hashes, hashes[0] ?? Buffer.alloc(32)] },
      { ...proof, hashes: hashes.reverse() },
    ])
      expect(thrown(() => verifyProof(formatProof(changed), trust))).toBe("PROOF_INVALID");
    expect(thrown(() => verifyProof(PROOF, { keys: [OTHER_KEY.key] }))).toBe("SIGNATURE_INVALID");
    expect(thrown(() => verifyProof(PROOF, { ...trust, origin: "other" }))).toBe("ORIGIN_MISMATCH");
    expect(thrown(() => verifyProof(PROOF, { ...trust, witnesses: [WITNESS_KEY], quorum: 1 }))).toBe("NOT_WITNESSED");
  });
});

describe("a proof that one checkpoint goes on from another", () => {
  it("is verified with the key alone", () => {
    expect(verifyConsistencyProof(CONSISTENCY, trust)).toMatchObject({ first: { size: 300 }, second: { size: 700 } });
  });

  it("does not hold otherwise", () => {
    const { first, second, hashes } = parseConsistencyProof(CONSISTENCY);
    const fork = thrown(() =>
      verifyConsistencyProof(formatConsistencyProof({ first: second, second: first, hashes }), trust),
    );
    expect(fork).toBe("PROOF_INVALID");
    for (const broken of [hashes.slice(1), [], [...hashes].reverse(), [...hashes, Buffer.alloc(32)]])
      expect(
        thrown(() => verifyConsistencyProof(formatConsistencyProof({ first, second, hashes: broken }), trust)),
      ).toBe("PROOF_INVALID");
    expect(thrown(() => verifyConsistencyProof(CONSISTENCY, { keys: [OTHER_KEY.key] }))).toBe("SIGNATURE_INVALID");
  });

  it("is made of checkpoints that are stored", async () => {
    expect(await codeOf(proveConsistency(log.store, 299))).toBe("INVALID_CONFIG");
    expect(await codeOf(proveConsistency(log.store, 700, 300))).toBe("INVALID_CONFIG");
    expect(thrown(() => parseConsistencyProof(CONSISTENCY))).toBe("none");
    expect(verifyConsistencyProof(await proveConsistency(log.store, 700), trust).first.size).toBe(700);
  });
});

describe("parsers", () => {
  const changes = fc.record({ at: fc.nat(), delete: fc.nat({ max: 40 }), insert: fc.string({ maxLength: 20 }) });
  const edited = (
    text: string,
    { at, delete: gone, insert }: { at: number; delete: number; insert: string },
  ): string => {
    const start = at % (text.length + 1);
    return text.slice(0, start) + insert + text.slice(start + gone);
  };
  test(
    "say PROOF_INVALID or SIGNATURE_INVALID of anything else, and never crash",
    [changes, fc.boolean()],
    (change, consistency) => {
      const good = consistency ? CONSISTENCY : PROOF;
      const text = edited(good, change);
      if (text === good) return;
      const code = thrown(() => (consistency ? verifyConsistencyProof(text, trust) : verifyProof(text, trust)));
      expect(["PROOF_INVALID", "SIGNATURE_INVALID", "ORIGIN_MISMATCH"]).toContain(code);
    },
  );

  test("take any text", [fc.string()], (text) => {
    expect(thrown(() => parseConsistencyProof(text))).toBe("PROOF_INVALID");
  });
});
