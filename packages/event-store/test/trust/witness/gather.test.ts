import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import {
  checkQuorum,
  formatNote,
  gatherCosignatures,
  localCosigner,
  openCheckpoint,
  serveWitness,
  verifierKey,
  Witness,
  type Gathered,
  type GatherOptions,
  type NoteSigner,
  type WitnessAddress,
} from "../../../src/trust/index.js";
import { testLog, TestState } from "./log.js";

const log = testLog("example.com/log");
const forked = testLog("example.com/log", 40, "!", 5);
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

const cosigner = (n: number): NoteSigner =>
  localCosigner(`witness.example/w${String(n)}`, Buffer.alloc(32, n), () => 5000);

/** A witness that has seen this, if anything. */
async function witnessed(n: number, seen?: { tree: typeof log; size: number }): Promise<WitnessAddress> {
  const signer = cosigner(n);
  const witness = new Witness({ logs: [log.signer.key], signer, state: new TestState(), now: () => 5000 });
  if (seen) await witness.addCheckpoint(Buffer.from(await seen.tree.request(0, seen.size)));
  const server = await serveWitness(witness, { port: 0 });
  closing.push(() => server.close(AbortSignal.abort()));
  return { url: `http://127.0.0.1:${String(server.port)}`, key: signer.key };
}

/** Nobody there. */
const gone = (n: number): WitnessAddress => ({ url: "http://127.0.0.1:1", key: cosigner(n).key });

/** Takes requests, and never answers. */
async function silent(n: number): Promise<WitnessAddress> {
  const server = createServer(() => undefined).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  closing.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`, key: cosigner(n).key };
}

const gather = async (witnesses: WitnessAddress[], options: Partial<GatherOptions> = {}): Promise<Gathered> =>
  gatherCosignatures(await log.note(20), witnesses, {
    quorum: 2,
    failOpen: false,
    proof: (old) => log.proof(old, 20),
    timeoutMs: 300,
    lingerMs: 20,
    ...options,
  });
const names = ({ cosignatures }: Gathered): string[] => cosignatures.map(({ key }) => key.name.slice(-2)).sort();
const opened = (note: string, keys: WitnessAddress["key"][]) =>
  openCheckpoint(note, { keys: [log.signer.key], witnesses: keys });

describe("a quorum", () => {
  it("is reached with what witnesses have seen before, and the checkpoint then holds for verifiers", async () => {
    const witnesses = [await witnessed(1), await witnessed(2, { tree: log, size: 7 }), gone(3)];
    const gathered = await gather(witnesses);
    expect(gathered.isWitnessed).toBe(true);
    expect(names(gathered)).toEqual(["w1", "w2"]);
    expect(gathered.failures.map(({ witness }) => witness)).toEqual([witnesses[2]]);
    const keys = witnesses.map(({ key }) => key);
    const checkpoint = opened(gathered.checkpoint, keys);
    expect(checkQuorum(checkpoint, keys, 2).map(({ time }) => time)).toEqual([5, 5]);
    expect(() => checkQuorum(checkpoint, keys, 3)).toThrow(
      expect.objectContaining({ code: "NOT_WITNESSED", facts: { expected: "3 of 3", actual: 2 } }) as Error,
    );
  });

  it("that is missed fails, or is told of and the checkpoint goes without", async () => {
    const witnesses = [await witnessed(1), gone(2), gone(3)];
    await expect(gather(witnesses)).rejects.toMatchObject({
      code: "NOT_WITNESSED",
      facts: { expected: "2 of 3", actual: 1 },
    });
    const open = await gather(witnesses, { failOpen: true });
    expect([open.isWitnessed, names(open), open.failures.length]).toEqual([false, ["w1"], 2]);
    expect(open.failures[0]?.error).toMatchObject({ code: "UNAVAILABLE" });
    const none = await gather([gone(2)], { quorum: 1, failOpen: true });
    expect([none.isWitnessed, none.checkpoint]).toEqual([false, await log.note(20)]);
  });

  it("that is missed never hides what a witness says against the log", async () => {
    const larger = [await witnessed(1, { tree: log, size: 30 }), gone(2), await witnessed(3)];
    await expect(gather(larger, { failOpen: true })).rejects.toMatchObject({ code: "ROLLED_BACK" });
    const otherTree = [await witnessed(1, { tree: forked, size: 10 }), gone(2), gone(3)];
    await expect(gather(otherTree, { failOpen: true })).rejects.toMatchObject({ code: "PROOF_INVALID" });
    // One false witness of three stops nobody, and is told of.
    const outvoted = await gather([larger[0]!, await witnessed(2), await witnessed(3)]);
    expect([outvoted.isWitnessed, names(outvoted)]).toEqual([true, ["w2", "w3"]]);
    expect(outvoted.failures).toEqual([
      { witness: larger[0], error: expect.objectContaining({ code: "ROLLED_BACK" }) as Error },
    ]);
  });

  it("once reached, does not wait for who is slow", async () => {
    const witnesses = [await silent(1), await witnessed(2), await witnessed(3)];
    const gathered = await gather(witnesses, { timeoutMs: 60_000, requestTimeoutMs: 60_000 });
    expect([gathered.isWitnessed, names(gathered)]).toEqual([true, ["w2", "w3"]]);
    expect(gathered.failures.map(({ witness }) => witness)).toEqual([witnesses[0]]);
  });

  it("of none needs none", async () => {
    const gathered = await gather([], { quorum: 0 });
    expect([gathered.isWitnessed, gathered.checkpoint]).toEqual([true, await log.note(20)]);
  });

  it("begins with what it is told that witnesses have seen", async () => {
    const asked: number[] = [];
    await gather([await witnessed(1, { tree: log, size: 7 }), await witnessed(2, { tree: log, size: 9 })], {
      oldSize: ({ key }) => (key.name.endsWith("1") ? 7 : 9),
      proof: (old) => {
        asked.push(old);
        return log.proof(old, 20);
      },
    });
    expect(asked.sort()).toEqual([7, 9]);
  });

  it("ends with its signal", async () => {
    const stop = new AbortController();
    const asking = gather([await silent(1), await silent(2)], {
      signal: stop.signal,
      timeoutMs: 60_000,
      failOpen: true,
    });
    stop.abort();
    await expect(asking).rejects.toMatchObject({ code: "ABORTED" });
  });

  it("that cannot be is refused", async () => {
    const [one, two] = [gone(1), gone(2)];
    const refused = { code: "INVALID_CONFIG" };
    await expect(gather([one, two], { quorum: 3 })).rejects.toMatchObject(refused);
    await expect(gather([one, two], { quorum: 1.5 })).rejects.toMatchObject(refused);
    await expect(gather([one, two], { quorum: -1 })).rejects.toMatchObject(refused);
    const renamed = { url: two.url, key: verifierKey("other", "cosignature/v1", one.key.publicKey) };
    await expect(gather([one, renamed])).rejects.toMatchObject(refused);
    await expect(gather([one, { ...two, key: log.signer.key }])).rejects.toMatchObject(refused);
    await expect(gather([one, { ...two, url: "nowhere" }], { failOpen: true })).rejects.toMatchObject(refused);
  });
});

describe("a verifier", () => {
  it("counts cosignatures of its witnesses alone, and none of the log", async () => {
    const text = log.text(20);
    const [one, two] = [cosigner(1), cosigner(2)];
    const signatures = await Promise.all([log.signer, one, two].map((signer) => signer.sign(text)));
    const note = formatNote({ text, signatures });
    expect(checkQuorum(opened(note, [one.key]), [one.key], 1)).toHaveLength(1);
    expect(() => checkQuorum(opened(note, [one.key]), [cosigner(3).key], 1)).toThrow("too few");
    // Opened without its key, a cosignature was not verified: it does not count.
    expect(() => checkQuorum(opened(note, [one.key]), [one.key, two.key], 2)).toThrow("too few");
    expect(() => checkQuorum(opened(note, []), [log.signer.key], 1)).toThrow("a log's");
    expect(checkQuorum(opened(note, []), [], 0)).toEqual([]);
  });
});
