import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { onServers, Victim, verdictOfAppend, verdictOfRead, verdictOfVerify, type Server } from "./bench.js";

// The rows of docs/SECURITY-MODEL.md that need no key. What only a signed checkpoint shows is in trust.test.ts.

onServers((server: () => Server) => {
  let log: Victim;
  beforeEach(async () => {
    log = new Victim(server());
    await log.fill(12);
  });
  afterEach(() => log.close());

  describe("whoever may write the bucket", () => {
    it("changes an event: HASH_MISMATCH there", async () => {
      await log.put(4, (await log.get(4))!.replace('"amount":104', '"amount":904'));
      expect([await verdictOfRead(log), await verdictOfVerify(log)]).toEqual([
        "HASH_MISMATCH at 4",
        "HASH_MISMATCH at 4",
      ]);
    });

    it("changes an event and its own hash: CHAIN_BROKEN at the next", async () => {
      const last = new Victim(server(), log.prefix);
      const kept = await log.copy();
      await last.rewrite(4, 904);
      for (const name of kept.keys()) if (name > "0000000004.json") await log.put(name, kept.get(name)!);
      expect(await verdictOfVerify(log)).toBe("CHAIN_BROKEN at 5");
      await last.close();
    });

    it("removes an event: GAP; swaps two: MISPLACED; puts one in twice: MISPLACED", async () => {
      const five = (await log.get(5))!;
      await log.delete(5);
      expect(await verdictOfRead(log)).toBe("GAP at 5");
      await log.put(5, (await log.get(6))!);
      await log.put(6, five);
      expect(await verdictOfRead(log)).toBe("MISPLACED at 5");
      await log.put(5, five);
      expect(await verdictOfRead(log)).toBe("MISPLACED at 6");
    });

    it("cuts the tail: the stored head contradicts it, for readers, verifiers and writers", async () => {
      for (const seq of [9, 10, 11]) await log.delete(seq);
      expect(await verdictOfRead(log)).toBe("HEAD_CONTRADICTS_LOG at 9");
      expect(await verdictOfVerify(log)).toBe("HEAD_CONTRADICTS_LOG at 9");
      expect(await verdictOfAppend(log)).toMatch(/^HEAD_CONTRADICTS_LOG/);
    });

    it("cuts the tail and deletes the head, or sets it back: only who noted a head elsewhere can tell: TRUNCATED", async () => {
      const noted = await log.use((store) => store.head());
      for (const seq of [9, 10, 11]) await log.delete(seq);
      await log.delete("_head.json");
      expect(await verdictOfVerify(log)).toBe("valid");
      expect(await verdictOfVerify(log, noted)).toMatch(/^TRUNCATED/);
      const { seq, hash } = await log.use((store) => store.head());
      expect(seq).toBe(8);
      await log.putHead({ seq, hash });
      expect(await verdictOfVerify(log, noted)).toMatch(/^TRUNCATED/);
    });

    it("deletes the head alone: nothing is lost, and the next append writes it anew", async () => {
      await log.delete("_head.json");
      expect(await verdictOfVerify(log)).toBe("valid");
      expect(await verdictOfAppend(log)).toBe("appended");
      expect(await log.get("_head.json")).toContain('"last_seq":12');
    });

    it("rewrites the suffix with all hashes and the head: only who noted a head elsewhere can tell", async () => {
      const noted = await log.use((store) => store.head());
      await log.rewrite(6, 999_999);
      expect(await verdictOfVerify(log)).toBe("valid");
      expect(await verdictOfVerify(log, noted)).toMatch(/^HEAD_CONTRADICTS_LOG/);
    });

    it("rewrites the whole log: the same", async () => {
      const noted = await log.use((store) => store.head());
      await log.rewrite(0, 1);
      expect(await verdictOfVerify(log)).toBe("valid");
      expect(await verdictOfVerify(log, noted)).toMatch(/^HEAD_CONTRADICTS_LOG/);
    });

    it("gives a key twice, for readers that take the first or the last: MALFORMED", async () => {
      await log.put(4, (await log.get(4))!.replace('"amount":104', '"amount":904,"amount":104'));
      expect(await verdictOfRead(log)).toBe("MALFORMED at 4");
      await log.put(4, (await log.get(4))!.replace('"amount":904,', ""));
      expect(await verdictOfRead(log)).toBe("valid");
    });

    it.each([
      ["104.0", "HASH_MISMATCH at 4"],
      ["1.04e2", "HASH_MISMATCH at 4"],
      ["104.00000000000000001", "HASH_MISMATCH at 4"],
      ["0104", "MALFORMED at 4"],
      ["+104", "MALFORMED at 4"],
      ["NaN", "MALFORMED at 4"],
      ["1e400", "MALFORMED at 4"],
    ])("writes a number another way (%s): %s", async (lexeme, verdict) => {
      await log.put(4, (await log.get(4))!.replace('"amount":104', `"amount":${lexeme}`));
      expect(await verdictOfRead(log)).toBe(verdict);
    });

    it.each([
      ["an escape that says the same", (text: string) => text.replace("PaymentSent", "Payment\\u0053ent"), "valid"],
      [
        "a letter that looks the same",
        (text: string) => text.replace("PaymentSent", "PaymentSеnt"),
        "HASH_MISMATCH at 4",
      ],
      ["a decomposed letter", (text: string) => text.replace("account", "acc\u006f\u0301unt"), "HASH_MISMATCH at 4"],
      ["a zero-width space", (text: string) => text.replace("account", "acc\u200bount"), "HASH_MISMATCH at 4"],
      ["a lone surrogate", (text: string) => text.replace("account", "acc\\ud800ount"), "MALFORMED at 4"],
      ["a byte-order mark", (text: string) => `\ufeff${text}`, "MALFORMED at 4"],
      [
        "bytes that are no UTF-8",
        (text: string) => Buffer.concat([Buffer.from(text.slice(0, 30)), Buffer.from([0xff])]),
        "MALFORMED at 4",
      ],
      ["a field nobody hashes", (text: string) => text.replace("{", '{"note":"x",'), "MALFORMED at 4"],
    ])("plays with text: %s", async (_, change, verdict) => {
      await log.put(4, change((await log.get(4))!));
      expect(await verdictOfRead(log)).toBe(verdict);
    });

    it("puts an event behind the end that links to it, as any writer may: it is one of the log's; a wrong one is found", async () => {
      await log.put(12, (await log.get(11))!);
      expect(await verdictOfRead(log)).toBe("MISPLACED at 12");
      expect(await verdictOfAppend(log)).toMatch(/^(MISPLACED|DUPLICATE|CHAIN_BROKEN)/);
    });
  });
});
