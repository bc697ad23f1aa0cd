import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  checkpoint,
  gatherCosignatures,
  inclusionChecker,
  localCosigner,
  localSigner,
  openCheckpoint,
  originOfPlace,
  processMemory,
  serveWitness,
  verifyTrust,
  Witness,
  type Memory,
  type NoteSigner,
} from "../../src/trust/index.js";
import { codeOf, onServers, payment, Victim, type Server } from "./bench.js";

// The rows of docs/SECURITY-MODEL.md in which somebody holds a key, or the attacker does.

onServers((server: () => Server) => {
  let log: Victim;
  let signer: NoteSigner;
  let signing: Memory;
  beforeEach(async () => {
    log = new Victim(server());
    signer = await signerOf(log);
    signing = processMemory();
    await log.fill(12);
    await sign(log);
  });
  afterEach(() => log.close());

  const signerOf = async (victim: Victim): Promise<NoteSigner> =>
    localSigner(originOfPlace(await victim.use((store) => Promise.resolve(store.location)))!, randomBytes(32));
  const sign = (victim: Victim, by: NoteSigner = signer, memory: Memory = signing) =>
    victim.use((store) => checkpoint(store, { signers: [{ signer: by, memory }] }));
  /** What somebody with the log's key finds; with a memory, somebody who has looked before. */
  const verdict = (victim: Victim, memory?: Memory, origin?: string): Promise<string> =>
    victim.use(async (store) => {
      try {
        await verifyTrust(store, {
          keys: [signer.key],
          ...(memory && { memory }),
          ...(origin !== undefined && { origin }),
        });
        return "valid";
      } catch (error) {
        return codeOf(error);
      }
    });

  describe("whoever may write the bucket, against a verifier with a key", () => {
    it("rewrites a suffix with all hashes and the head: TREE_MISMATCH, and the signer signs no more", async () => {
      const memory = processMemory();
      expect(await verdict(log, memory)).toBe("valid");
      await log.rewrite(6, 999_999);
      expect(await verdict(log)).toBe("TREE_MISMATCH");
      expect(await verdict(log, memory)).toBe("TREE_MISMATCH");
      await log.fill(3);
      await expect(sign(log)).rejects.toMatchObject({ action: "evidence" });
    });

    it("rewrites the whole log: TREE_MISMATCH, also when the tiles and checkpoints are deleted", async () => {
      const memory = processMemory();
      await verdict(log, memory);
      await log.rewrite(0, 1);
      expect(await verdict(log)).toBe("TREE_MISMATCH");
      for (const name of (await log.copy()).keys()) if (name.startsWith("_tlog/")) await log.delete(name);
      expect(await verdict(log)).not.toBe("valid");
      expect(await verdict(log, memory)).toBe("ROLLED_BACK");
      await expect(sign(log)).rejects.toMatchObject({ action: "evidence" });
    });

    it("cuts the tail and puts the head right: TRUNCATED or ROLLED_BACK", async () => {
      await log.delete(11);
      await log.delete("_head.json");
      expect(await verdict(log)).toMatch(/^(TRUNCATED|ROLLED_BACK)/);
    });

    it("puts everything back to an older signed state: only who has looked before can tell, and the signer", async () => {
      const old = await log.copy();
      await log.fill(5);
      await sign(log);
      const memory = processMemory();
      expect(await verdict(log, memory)).toBe("valid");
      await log.restore(old);
      expect(await verdict(log)).toBe("valid");
      expect(await verdict(log, memory)).toBe("ROLLED_BACK");
      await log.fill(1);
      await expect(sign(log)).rejects.toMatchObject({ code: "ROLLED_BACK" });
    });

    it("puts back the old checkpoint alone: stale, but valid; ROLLED_BACK for who has seen the newer", async () => {
      const stale = (await log.copy()).get("_tlog/checkpoint")!;
      await log.fill(5);
      await sign(log);
      const memory = processMemory();
      await verdict(log, memory);
      await log.put("_tlog/checkpoint", stale);
      expect(await verdict(log)).toBe("valid");
      expect(await verdict(log, memory)).toBe("ROLLED_BACK");
    });

    it("shows a copy under another prefix as the original: ORIGIN_MISMATCH, unless the verifier says that it is a copy", async () => {
      const copy = new Victim(server());
      await copy.restore(await log.copy());
      expect(await verdict(copy)).toBe("ORIGIN_MISMATCH");
      expect(await verdict(copy, undefined, signer.key.name)).toBe("valid");
      await copy.close();
    });

    it("tampers with tiles: nothing is concluded from them, and they are made anew", async () => {
      const tile = [...(await log.copy()).keys()].find((name) => name.startsWith("_tlog/tile/0/"))!;
      await log.put(tile, randomBytes(12 * 32));
      expect(await verdict(log)).toBe("valid");
      await log.fill(3);
      await log
        .use((store) => checkpoint(store, { signers: [{ signer, memory: signing }], rebuild: true }))
        .catch(() => undefined);
      expect(await verdict(log)).toBe("valid");
    });

    it("forges an index, or a whole answer: reads that are proven show nothing that was not signed", async () => {
      await log.use(async (store) => {
        const note = (await log.get("_tlog/checkpoint"))!;
        const trusted = openCheckpoint(note, { keys: [signer.key] });
        const inclusion = inclusionChecker(store, trusted);
        const read: number[] = [];
        for await (const { seq } of store.read({ aggregateId: "account-1", toSeq: 11, verify: "inclusion", inclusion }))
          read.push(seq);
        expect(read).toEqual([1, 4, 7, 10]);
        await log.rewrite(7, 700_000);
        const show = async (): Promise<void> => {
          for await (const { seq } of store.read({
            aggregateId: "account-1",
            toSeq: 11,
            verify: "inclusion",
            inclusion: inclusionChecker(store, trusted),
          }))
            read.push(seq);
        };
        await expect(show()).rejects.toMatchObject({ action: "evidence" });
      });
    });
  });

  describe("whoever has stolen a key", () => {
    it("of a writer, appends what is false: that is the log's; what was signed before stays", async () => {
      const memory = processMemory();
      await verdict(log, memory);
      await log.use((store) => store.append(payment(99, 1_000_000)));
      expect(await verdict(log, memory)).toBe("valid");
      // Without the signing key nothing of what was signed can be changed.
      await log.rewrite(2, 1);
      expect(await verdict(log, memory)).toBe("TREE_MISMATCH");
      const forger = localSigner(signer.key.name, randomBytes(32));
      await log.delete("_tlog/checkpoint");
      await sign(log, forger, processMemory()).catch(() => undefined);
      expect(await verdict(log)).not.toBe("valid");
    });

    it("of the signer, signs another history: FORKED for who has seen the first, and for the signer itself", async () => {
      const memory = processMemory();
      expect(await verdict(log, memory)).toBe("valid");
      const first = await log.copy();
      await log.rewrite(6, 999_999);
      for (const name of (await log.copy()).keys()) if (name.startsWith("_tlog/")) await log.delete(name);
      await sign(log, signer, processMemory());
      // Who has never looked cannot tell …
      expect(await verdict(log)).toBe("valid");
      // … who has, can: and has both statements, each with the signature.
      expect(await verdict(log, memory)).toBe("FORKED");
      expect([...memory.evidence.values()].join("")).toContain(signer.key.name);
      await expect(sign(log)).rejects.toMatchObject({ action: "evidence" });
      await log.restore(first);
      expect(await verdict(log, memory)).toBe("valid");
    });

    it("of the signer, shows two verifiers two logs: a witness signs the first only, and who asks for a witness sees that", async () => {
      const notes = new Map<string, string>();
      const cosigner = localCosigner("witness.example/w", randomBytes(32), Date.now);
      const witness = new Witness({
        logs: [signer.key],
        signer: cosigner,
        state: {
          read: (origin) => Promise.resolve(notes.get(origin) ?? null),
          write: async (origin, note) => void notes.set(origin, note),
        },
        now: Date.now,
      });
      const served = await serveWitness(witness, { port: 0 });
      const address = { url: `http://127.0.0.1:${served.port}`, key: cosigner.key };
      const shown = (victim: Victim): Promise<string> =>
        victim.use(async (store) => {
          try {
            const gathered = await gatherCosignatures((await victim.get("_tlog/checkpoint"))!, [address], {
              quorum: 1,
              failOpen: true,
              proof: () => Promise.resolve([]),
            });
            const trust = { keys: [signer.key], origin: signer.key.name, witnesses: [cosigner.key], quorum: 1 };
            await verifyTrust(store, { ...trust, checkpoint: gathered.checkpoint });
            return "witnessed";
          } catch (error) {
            return codeOf(error);
          }
        });
      const other = new Victim(server());
      try {
        await other.fill(12);
        await other.rewrite(3, 5);
        const own = { signers: [{ signer, memory: processMemory() }], origin: signer.key.name };
        await other.use((store) => checkpoint(store, own));
        expect(await shown(log)).toBe("witnessed");
        expect(await shown(other)).not.toBe("witnessed");
        expect(await shown(log)).toBe("witnessed");
      } finally {
        await other.close();
        await served.close();
      }
    });
  });
});
