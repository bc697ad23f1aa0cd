import { randomBytes } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import {
  checkpointText,
  formatAddCheckpoint,
  formatNote,
  localCosigner,
  localSigner,
  openCheckpoint,
  parseAddCheckpoint,
  parseSignature,
  verifiedSignatures,
  Witness,
  type WitnessAnswer,
} from "../../../src/trust/index.js";
import { fc, test } from "../property.js";
import { testLog, TestState } from "./log.js";

const log = testLog("example.com/behind-the-sofa");
const forked = testLog("example.com/behind-the-sofa", 40, "!", 5);
const other = testLog("example.com/other");
let now = 1_679_315_147_000;
const signer = localCosigner("witness.example/w1", Buffer.alloc(32, 9), () => now);
let state: TestState;
let witness: Witness;

const restarted = (): Witness =>
  new Witness({ logs: [log.signer.key, other.signer.key], signer, state, now: () => now });
const add = (body: string | Uint8Array, to = witness): Promise<WitnessAnswer> => to.addCheckpoint(Buffer.from(body));
const cosigned = (text: string, { body }: WitnessAnswer) =>
  verifiedSignatures({ text, signatures: [parseSignature(body.trimEnd())] }, [signer.key]);

beforeEach(() => {
  state = new TestState();
  witness = restarted();
  now = 1_679_315_147_000;
});

describe("requests", () => {
  it("have the bytes of the spec's example", () => {
    const example = `old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
`;
    const request = parseAddCheckpoint(Buffer.from(example));
    expect(request).toMatchObject({ oldSize: 20852014 });
    expect(request?.proof.map((hash) => hash.toString("base64"))).toEqual(example.split("\n").slice(1, 5));
    expect(request?.checkpoint).toBe(example.slice(example.indexOf("\n\n") + 2));
    expect(formatAddCheckpoint(request!)).toBe(example);
  });
});

describe("a witness", () => {
  it("cosigns a log's first checkpoint, and what goes on from it, with the time", async () => {
    const first = await add(await log.request(0, 7));
    expect(first).toMatchObject({ status: 200, origin: "example.com/behind-the-sofa", size: 7 });
    expect(first.body).toMatch(/^— witness\.example\/w1 [A-Za-z0-9+/]+=*\n$/);
    expect(cosigned(log.text(7), first)).toEqual([{ key: signer.key, time: 1_679_315_147 }]);
    now += 5000;
    const second = await add(await log.request(7, 20));
    expect(cosigned(log.text(20), second)).toEqual([{ key: signer.key, time: 1_679_315_152 }]);
    expect(() => cosigned(log.text(21), second)).toThrow("not its own");
  });

  it("cosigns an empty tree, and one of the same size, again", async () => {
    expect((await add(await log.request(0, 0))).status).toBe(200);
    expect((await add(await log.request(0, 7))).status).toBe(200);
    now += 1000;
    const again = await add(await log.request(7, 7));
    expect(cosigned(log.text(7), again)).toEqual([{ key: signer.key, time: 1_679_315_148 }]);
  });

  it("gives the same cosignature, and writes nothing, to who asks again within the second", async () => {
    const first = await add(await log.request(0, 7));
    expect(await add(await log.request(7, 7))).toEqual(first);
    expect(state.writes).toBe(1);
    // Another process cannot know that the note which it finds was synced: it writes it again.
    expect((await add(await log.request(7, 7), restarted())).body).toBe(first.body);
    expect(state.writes).toBe(2);
  });

  it("keeps the checkpoint with the log's signatures and its own, and no others", async () => {
    const note = await log.note(7, localSigner("stranger", randomBytes(32)));
    const { body } = await add(formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint: note }));
    const kept = state.notes.get(log.signer.key.name)!;
    expect(kept).toBe(`${await log.note(7)}${body}`);
    const opened = openCheckpoint(kept, { keys: [log.signer.key], witnesses: [signer.key] });
    expect(opened.signatures.map(({ key }) => key.name)).toEqual([log.signer.key.name, signer.key.name]);
  });

  it("keeps logs apart", async () => {
    await add(await log.request(0, 7));
    expect((await add(await other.request(0, 9))).status).toBe(200);
    expect((await add(await other.request(7, 9))).body).toBe("9\n");
  });

  it("knows a log by any of its keys", async () => {
    const next = localSigner(log.signer.key.name, randomBytes(32));
    witness = new Witness({ logs: [log.signer.key, next.key], signer, state, now: () => now });
    const text = log.text(3);
    const checkpoint = formatNote({ text, signatures: [await next.sign(text)] });
    expect((await add(formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint }))).status).toBe(200);
    // Without its key, the state is still what it was.
    expect((await add(await log.request(3, 7), restarted())).status).toBe(200);
  });
});

describe("a witness refuses", () => {
  const refused = async (body: string | Uint8Array, status: number, text?: string | RegExp): Promise<void> => {
    const before = new Map(state.notes);
    const answer = await add(body);
    expect(answer.status).toBe(status);
    if (text !== undefined) expect(answer.body).toMatch(text);
    expect(answer.body).not.toContain("—");
    expect(state.notes).toEqual(before);
  };
  const about = async (size: number, proof: Buffer[], oldSize: number, checkpoint?: string): Promise<string> =>
    formatAddCheckpoint({ oldSize, proof, checkpoint: checkpoint ?? (await log.note(size)) });

  it("404: logs that it does not know", async () => {
    await refused(await testLog("example.com/unknown").request(0, 7), 404);
  });

  it("403: what no key of the log has signed, and what one seems to have", async () => {
    const text = log.text(7);
    const stranger = localSigner("stranger", randomBytes(32));
    const impostor = localSigner(log.signer.key.name, randomBytes(32));
    for (const who of [stranger, impostor, signer])
      await refused(await about(7, [], 0, formatNote({ text, signatures: [await who.sign(text)] })), 403);
    const good = await log.signer.sign(text);
    const bad = { ...good, signature: Buffer.from(good.signature.map((byte) => byte ^ 1)) };
    await refused(await about(7, [], 0, formatNote({ text, signatures: [bad] })), 403);
    await refused(await about(7, [], 0, formatNote({ text, signatures: [good, bad] })), 403);
    await refused(await about(7, [], 0, formatNote({ text: log.text(8), signatures: [good] })), 403);
  });

  it("400: an old size beyond the checkpoint's", async () => {
    await add(await log.request(0, 9));
    await refused(await about(8, [], 9), 400);
  });

  it("409 with the size: an old size that is not the last one", async () => {
    const zero = await add(await log.request(3, 7));
    expect(zero).toMatchObject({ status: 409, contentType: "text/x.tlog.size", body: "0\n" });
    await add(await log.request(0, 9));
    for (const [from, to] of [
      [0, 20],
      [8, 20],
      [10, 20],
      [0, 9],
      [3, 3],
    ] as const)
      await refused(await log.request(from, to), 409, /^9\n$/);
    // Also where all else is wrong with it.
    await refused(await about(5, [randomBytes(32)], 0), 409, /^9\n$/);
  });

  it("422: an empty tree with the root of another", async () => {
    const text = checkpointText({ origin: log.signer.key.name, size: 0, root: randomBytes(32) });
    await refused(await about(0, [], 0, formatNote({ text, signatures: [await log.signer.sign(text)] })), 422);
  });

  it("422: a proof where the old size is zero", async () => {
    await refused(await about(7, [randomBytes(32)], 0), 422);
  });

  it("422: another root of the same size", async () => {
    await add(await log.request(0, 9));
    await refused(await forked.request(9, 9), 422, /another root/);
    await refused(await about(9, [randomBytes(32)], 9), 422);
  });

  it("422: proofs that do not lead from the last tree to this one", async () => {
    await add(await log.request(0, 9));
    const proof = await log.proof(9, 20);
    await refused(await forked.request(9, 20), 422);
    await refused(await about(20, [], 9), 422);
    await refused(await about(20, proof.slice(1), 9), 422);
    await refused(await about(20, [...proof, randomBytes(32)], 9), 422);
    await refused(await about(20, proof.toReversed(), 9), 422);
    await refused(await about(21, proof, 9), 422);
    expect((await add(await about(20, proof, 9))).status).toBe(200);
  });

  it("400: what is malformed", async () => {
    const good = await log.request(7, 20);
    const [old = "", hash = ""] = good.split("\n");
    const hashes = (n: number): string => good.replace(/^(old 7\n)[^]*?\n\n/, `$1${`${hash}\n`.repeat(n)}\n`);
    expect((await add(hashes(63))).status).toBe(409);
    for (const bad of [
      "",
      "\n\n",
      hashes(64),
      good.replace(old, "old 07"),
      good.replace(old, "old -7"),
      good.replace(old, "old +7"),
      good.replace(old, "old 7 "),
      good.replace(old, "old  7"),
      good.replace(old, "Old 7"),
      good.replace(old, "7"),
      good.replace(old, "old 7\r"),
      good.replace(old, "old 99999999999999999999"),
      good.replace(old, "old 9007199254740993"),
      good.replace(old, `${old}\n${old}`),
      good.replace(hash, hash.slice(0, -1)),
      good.replace(hash, `${hash} `),
      good.replace(hash, Buffer.alloc(31).toString("base64")),
      good.replace(hash, Buffer.alloc(33).toString("base64")),
      good.replace(
        hash,
        hash.replace(/.=$/, (end) => `${String.fromCharCode(end.charCodeAt(0) + 1)}=`),
      ),
      good.replace("\n\n", "\n"),
      good.replace("\n\n", "\n\n\n"),
      good.slice(0, -1),
      `${good}x`,
      good.replace(/\n— .*\n/, ""),
      good.replace("—", "-"),
      good.replace("\n20\n", "\n020\n"),
      good.replace("\n20\n", "\nx\n"),
      `\ufeff${good}`,
      Buffer.concat([Buffer.from(good), Buffer.from([0xff])]),
      `${good}${"x".repeat(200_000)}`,
    ])
      await refused(bad, 400);
  });
});

describe("what is written down", () => {
  it("comes before the answer: a failure is no answer, and what came of it holds after a restart", async () => {
    await add(await log.request(0, 7));
    for (const fail of ["before", "behind"] as const) {
      state.fail = fail;
      await expect(add(await log.request(7, 20))).rejects.toThrow(/no (space|sync)/);
      witness = restarted();
    }
    // The second failure had left the note behind: the witness holds to it.
    expect((await add(await log.request(7, 20))).body).toBe("20\n");
    expect((await add(await forked.request(7, 20))).status).toBe(409);
    expect((await add(await forked.request(20, 20))).status).toBe(422);
    expect((await add(await log.request(20, 20))).status).toBe(200);
  });

  it("is written again before it is told where a sync failed", async () => {
    state.fail = "behind";
    await expect(add(await log.request(0, 7))).rejects.toThrow("no sync");
    state.fail = "before";
    await expect(add(await log.request(7, 7))).rejects.toThrow("no space");
    expect((await add(await log.request(7, 7))).status).toBe(200);
    expect(state.writes).toBe(3);
  });

  it.each([
    ["is empty", () => ""],
    ["is cut off", (note: string) => note.slice(0, -20)],
    ["has another size", (note: string) => note.replace("\n7\n", "\n6\n")],
    ["has another root", (note: string) => note.replace(/\n7\n.{4}/, "\n7\nAAAA")],
    ["is of another log", (note: string) => note.replaceAll("behind-the-sofa", "other")],
  ])("and then %s, is never taken for nothing", async (_, damage) => {
    await add(await log.request(0, 7));
    const origin = log.signer.key.name;
    state.notes.set(origin, damage(state.notes.get(origin)!));
    for (const body of [await log.request(0, 7), await log.request(7, 7), await log.request(0, 20)])
      await expect(add(body)).rejects.toMatchObject({ code: "IO_FAILED" });
  });
});

describe("requests at once", () => {
  it("for one log: one of those that begin at the same size is cosigned, the others are told where it is now", async () => {
    await add(await log.request(0, 5));
    const trees = [log, forked];
    const bodies = await Promise.all(Array.from({ length: 30 }, (_, i) => trees[i % 2]!.request(5, 6 + i)));
    const answers = await Promise.all(bodies.map((body) => add(body)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status, body }) => status === 409 && body === "6\n")).toHaveLength(29);
    expect(state.writes).toBe(2);
  });

  test(
    "whatever is sent, what is cosigned never goes back and never contradicts itself",
    [fc.array(fc.tuple(fc.nat(12), fc.nat(12), fc.boolean(), fc.boolean()), { maxLength: 30 })],
    async (steps) => {
      const fresh = new TestState();
      const one = new Witness({ logs: [log.signer.key], signer, state: fresh, now: () => now });
      const roots = new Map<number, string>();
      let sizes: number[] = [];
      const bodies = await Promise.all(
        steps.map(async ([from, to, isForked]) => {
          const tree = isForked ? forked : log;
          const proof = from <= to ? await tree.proof(from, to) : [];
          return { tree, to, body: formatAddCheckpoint({ oldSize: from, proof, checkpoint: await tree.note(to) }) };
        }),
      );
      await Promise.all(
        bodies.map(async ({ tree, to, body }, i) => {
          if (steps[i]![3]) await new Promise(setImmediate);
          const { status } = await add(body, one);
          if (status !== 200) return;
          sizes = [...sizes, to];
          const root = tree.root(to).toString("hex");
          expect(roots.get(to) ?? root).toBe(root);
          roots.set(to, root);
        }),
      );
      expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
      const cosignedForks = [...roots].filter(([size, root]) => size > 5 && root === forked.root(size).toString("hex"));
      const cosignedTrue = [...roots].filter(([size, root]) => size > 5 && root === log.root(size).toString("hex"));
      expect(Math.min(cosignedForks.length, cosignedTrue.length)).toBe(0);
    },
    100,
  );
});

describe("whatever is sent", async () => {
  const good = Buffer.from(await log.request(7, 20));
  const mutated = fc
    .tuple(
      fc.array(fc.tuple(fc.nat(good.length), fc.nat(3), fc.uint8Array({ maxLength: 8 })), {
        minLength: 1,
        maxLength: 4,
      }),
    )
    .map(([edits]) => {
      let bytes = good;
      for (const [at, cut, put] of edits) bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + cut)]);
      return bytes;
    });
  test(
    "is answered with a refusal, and changes nothing, unless it is in order",
    [
      fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        mutated,
        fc.string({ unit: "binary" }).map((text) => Buffer.from(text)),
      ),
    ],
    async (body) => {
      const fresh = new TestState();
      fresh.notes.set(log.signer.key.name, await log.note(6, signer));
      const { status } = await add(body, new Witness({ logs: [log.signer.key], signer, state: fresh, now: () => now }));
      expect([400, 403, 404, 409, 422]).toContain(status);
      expect(fresh.writes).toBe(0);
    },
    500,
  );
});

describe("keys", () => {
  it("that cannot do what they are for are refused", () => {
    const make = (logs: Witness["key"][], by = signer): Witness =>
      new Witness({ logs, signer: by, state, now: () => 0 });
    expect(() => make([signer.key])).toThrow("a witness's");
    expect(() => make([log.signer.key], log.signer)).toThrow("0x04");
    expect(() => make([localSigner("a", Buffer.alloc(32, 9)).key])).toThrow("its own witness");
  });
});
