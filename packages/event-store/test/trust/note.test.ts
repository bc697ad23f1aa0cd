import { randomBytes } from "node:crypto";
import { fc, test } from "./property.js";
import { describe, expect, it } from "vitest";
import {
  checkpointText,
  formatNote,
  formatProof,
  formatSignature,
  formatVerifierKey,
  localCosigner,
  localSigner,
  openCheckpoint,
  parseCheckpoint,
  parseNote,
  parseProof,
  parseVerifierKey,
  verifiedSignatures,
  verifierKey,
  type NoteSigner,
} from "../../src/trust/index.js";

/** The example of C2SP signed-note. */
const VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const NOTE = `This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
`;

/** The examples of Go's golang.org/x/mod/sumdb/note. */
const PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const GO_NOTE = `If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
`;

const sign = async (text: string, ...signers: NoteSigner[]) =>
  formatNote({ text, signatures: await Promise.all(signers.map((signer) => signer.sign(text))) });
const log = localSigner("example.com/log", Buffer.alloc(32, 1));
const code = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return "none";
};

describe("verifier keys", () => {
  it("are written and read as the spec's example is", () => {
    const key = parseVerifierKey(VKEY);
    expect(key).toMatchObject({ name: "example.com/foo", type: "ed25519", id: 0x530d903a });
    expect(formatVerifierKey(key)).toBe(VKEY);
    const cosigner = localCosigner("witness.example/w1", randomBytes(32), () => 0).key;
    expect(parseVerifierKey(formatVerifierKey(cosigner))).toEqual(cosigner);
    expect(formatVerifierKey(cosigner)).not.toContain(
      formatVerifierKey(verifierKey(cosigner.name, "ed25519", cosigner.publicKey)).split("+")[1]!,
    );
  });

  it.each([
    ["another id", VKEY.replace("530d903a", "530d903b")],
    ["an id in capitals", VKEY.replace("530d903a", "530D903A")],
    ["another name", VKEY.replace("foo", "bar")],
    ["no padding where there should be", `${VKEY}=`],
    ["a short key", "example.com/foo+530d903a+Aeky"],
    ["an unknown type", VKEY.replace("+Aeky", "+Beky")],
    ["no name", VKEY.replace("example.com/foo", "")],
    ["a space in its name", VKEY.replace("/foo", " foo")],
    ["a plus too many", VKEY.replace("/foo", "+foo")],
    ["nothing", ""],
  ])("with %s are refused", (_, text) => {
    expect(code(() => parseVerifierKey(text))).toBe("INVALID_CONFIG");
  });
});

describe("signed notes", () => {
  it.each([
    ["the spec", VKEY, NOTE],
    ["Go's sumdb", PETER, GO_NOTE],
  ])("of %s hold", (_, vkey, text) => {
    const note = parseNote(text);
    expect(formatNote(note)).toBe(text);
    expect(verifiedSignatures(note, [parseVerifierKey(vkey)])).toHaveLength(1);
    for (const changed of [text.replace("e", "f"), text.replace("\n", "\n\n")])
      expect(code(() => verifiedSignatures(parseNote(changed), [parseVerifierKey(vkey)]))).toBe("SIGNATURE_INVALID");
  });

  it("ignore unknown keys, also of the same name or of the same id", async () => {
    const text = await sign(
      "hello\n",
      localSigner("example.com/log", randomBytes(32)),
      log,
      localSigner("x", randomBytes(32)),
    );
    expect(verifiedSignatures(parseNote(text), [log.key]).map(({ key }) => key)).toEqual([log.key]);
    const [mine] = parseNote(await sign("hello\n", log)).signatures;
    const other = formatSignature({ ...mine!, name: "example.com/other", signature: randomBytes(64) });
    expect(verifiedSignatures(parseNote(`hello\n\n${other}${formatSignature(mine!)}`), [log.key])).toHaveLength(1);
    expect(verifiedSignatures(parseNote(`hello\n\n${other}`), [log.key])).toEqual([]);
  });

  it("with a known key's signature twice, or one that does not hold, are refused", async () => {
    const [mine] = parseNote(await sign("hello\n", log)).signatures;
    const line = formatSignature(mine!);
    expect(code(() => verifiedSignatures(parseNote(`hello\n\n${line}${line}`), [log.key]))).toBe("SIGNATURE_INVALID");
    const bad = formatSignature({ ...mine!, signature: randomBytes(64) });
    expect(code(() => verifiedSignatures(parseNote(`hello\n\n${bad}`), [log.key]))).toBe("SIGNATURE_INVALID");
    for (const length of [1, 63, 65, 72])
      expect(
        code(() =>
          verifiedSignatures(parseNote(`hello\n\n${formatSignature({ ...mine!, signature: randomBytes(length) })}`), [
            log.key,
          ]),
        ),
      ).toBe("SIGNATURE_INVALID");
  });

  it.each([
    ["no signature", "hello\n"],
    ["no newline at its end", NOTE.slice(0, -1)],
    ["trailing data", `${NOTE}x`],
    ["trailing data in a line", `${NOTE}x\n`],
    ["an empty line at its end", `${NOTE}\n`],
    ["base64 without padding", NOTE.replace("=\n", "\n")],
    ["base64 that is not canonical", NOTE.replace("aQM=", "aQN=")],
    ["base64 of the other alphabet", GO_NOTE.replace("ZJkuBS9UG/Sff", "ZJkuBS9UG_Sff")],
    ["a hyphen for the dash", NOTE.replace("—", "-")],
    ["two spaces", NOTE.replace(" Uw2", "  Uw2")],
    ["a control character", NOTE.replace("example m", "example\tm")],
    ["a carriage return", NOTE.replace("message.", "message.\r")],
    ["a lone surrogate", NOTE.replace("message", "\ud800")],
    ["a short signature", "hello\n\n— example.com/foo AAAA\n"],
    ["sixty-five signatures", `hello\n\n${NOTE.split("\n\n")[1]!.repeat(65)}`],
  ])("with %s are refused", (_, text) => {
    expect(code(() => parseNote(text))).toBe("SIGNATURE_INVALID");
  });

  it("that are no UTF-8 are refused, and empty lines in the text are its own", async () => {
    expect(code(() => parseNote(Buffer.concat([Buffer.from([0xff]), Buffer.from(NOTE)])))).toBe("SIGNATURE_INVALID");
    const text = await sign("a\n\n\nb\n\n", log);
    expect(parseNote(text).text).toBe("a\n\n\nb\n\n");
    expect(verifiedSignatures(parseNote(text), [log.key])).toHaveLength(1);
  });

  it("of a witness hold for the time that they say", async () => {
    const witness = localCosigner("witness.example/w1", Buffer.alloc(32, 2), () => 1_679_315_147_999);
    const text = await sign(
      "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
      witness,
    );
    expect(verifiedSignatures(parseNote(text), [witness.key])).toEqual([{ key: witness.key, time: 1_679_315_147 }]);
    const [line] = parseNote(text).signatures;
    const later = Buffer.from(line!.signature);
    later.writeBigUInt64BE(1_679_315_148n);
    const moved = formatNote({ text: parseNote(text).text, signatures: [{ ...line!, signature: later }] });
    expect(code(() => verifiedSignatures(parseNote(moved), [witness.key]))).toBe("SIGNATURE_INVALID");
    const plain = verifierKey(witness.key.name, "ed25519", witness.key.publicKey);
    expect(verifiedSignatures(parseNote(text), [plain])).toEqual([]);
  });
});

describe("checkpoints", () => {
  const checkpoint = { origin: "example.com/log", size: 3, root: Buffer.alloc(32, 7) };

  it("are three lines, signed", async () => {
    const text = checkpointText(checkpoint);
    expect(text).toBe("example.com/log\n3\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n");
    expect(openCheckpoint(await sign(text, log), { keys: [log.key] })).toMatchObject(checkpoint);
  });

  it("may be signed by an old and a new key: either is enough", async () => {
    const next = localSigner("example.com/log", randomBytes(32));
    const note = await sign(checkpointText(checkpoint), log, next);
    for (const keys of [[log.key], [next.key], [next.key, log.key]])
      expect(openCheckpoint(note, { keys }).signatures).toHaveLength(keys.length);
  });

  it("of another origin, or of nobody who is trusted, are refused", async () => {
    const other = localSigner("example.com/other", randomBytes(32));
    expect(code(() => void openCheckpoint("", { keys: [log.key] }))).toBe("SIGNATURE_INVALID");
    const moved = await sign(checkpointText({ ...checkpoint, origin: "example.com/other" }), log, other);
    expect(code(() => openCheckpoint(moved, { keys: [log.key] }))).toBe("ORIGIN_MISMATCH");
    const foreign = await sign(checkpointText(checkpoint), other);
    expect(code(() => openCheckpoint(foreign, { keys: [log.key] }))).toBe("SIGNATURE_INVALID");
    const witness = localCosigner("w", randomBytes(32), () => 0);
    const onlyWitnessed = await sign(checkpointText(checkpoint), witness);
    expect(code(() => openCheckpoint(onlyWitnessed, { keys: [log.key], witnesses: [witness.key] }))).toBe(
      "SIGNATURE_INVALID",
    );
  });

  it.each([
    ["no origin", "\n3\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n"],
    ["a leading zero", "o\n03\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n"],
    ["a negative size", "o\n-3\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n"],
    ["a size beyond counting", "o\n99999999999999999\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n"],
    ["a short root", "o\n3\nBwcH\n"],
    ["no end", "o\n3\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="],
    ["an empty extension", "o\n3\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n\nx\n"],
    ["two lines", "o\n3\n"],
  ])("with %s are refused", (_, text) => {
    expect(code(() => parseCheckpoint(text))).toBe("SIGNATURE_INVALID");
  });

  it("may have extensions, which say nothing here", () => {
    expect(parseCheckpoint(`${checkpointText(checkpoint)}ext\n`)).toEqual(checkpoint);
  });
});

describe("proof files", () => {
  const proof = {
    extra: Buffer.from("line"),
    index: 73894,
    hashes: [Buffer.alloc(32, 1), Buffer.alloc(32, 2)],
    checkpoint: NOTE,
  };

  it("are written and read as the spec has them", () => {
    const text = formatProof(proof);
    expect(text.split("\n").slice(0, 6)).toEqual([
      "c2sp.org/tlog-proof@v1",
      "extra bGluZQ==",
      "index 73894",
      Buffer.alloc(32, 1).toString("base64"),
      Buffer.alloc(32, 2).toString("base64"),
      "",
    ]);
    expect(parseProof(text)).toEqual(proof);
    const bare = { extra: undefined, index: 0, hashes: [], checkpoint: NOTE };
    expect(parseProof(formatProof(bare))).toEqual(bare);
  });

  it.each([
    ["another version", (text: string) => text.replace("@v1", "@v2")],
    ["no index", (text: string) => text.replace(/index .*\n/, "")],
    ["an index with a zero in front", (text: string) => text.replace("index 7", "index 07")],
    ["a second index", (text: string) => text.replace("index", "index 1\nindex")],
    ["a hash that is too short", (text: string) => text.replace(/\nAQEB[^\n]*/, "\nAQEB")],
    ["extra data that is not base64", (text: string) => text.replace("bGluZQ==", "bGluZQ")],
    ["the extra data behind the index", (text: string) => text.replace(/(extra .*\n)(index .*\n)/, "$2$1")],
    ["no checkpoint", (text: string) => text.slice(0, text.indexOf("\n\n"))],
    ["a carriage return", (text: string) => text.replace("\n", "\r\n")],
  ])("with %s are refused", (_, change) => {
    const changed = change(formatProof(proof));
    expect(code(() => parseProof(changed))).toBe("PROOF_INVALID");
  });
});

describe("whatever is read", () => {
  const parsers = { parseNote, parseCheckpoint, parseProof, parseVerifierKey };
  const seeds = [
    NOTE,
    GO_NOTE,
    VKEY,
    formatProof({ extra: Buffer.from("x"), index: 1, hashes: [Buffer.alloc(32)], checkpoint: NOTE }),
  ];

  for (const [name, parse] of Object.entries(parsers)) {
    test(
      `${name} gives a value or a typed error`,
      [fc.oneof(fc.string({ unit: "binary" }), mutated(seeds))],
      (text) => {
        expect(["none", "SIGNATURE_INVALID", "PROOF_INVALID", "INVALID_CONFIG"]).toContain(code(() => parse(text)));
      },
    );
  }
});

/** A seed with some of its characters changed, dropped or doubled. */
function mutated(texts: readonly string[]) {
  const change = fc.tuple(
    fc.nat(),
    fc.constantFrom("drop", "double", "change"),
    fc.string({ minLength: 1, maxLength: 2 }),
  );
  return fc.tuple(fc.constantFrom(...texts), fc.array(change, { maxLength: 5 })).map(([text, changes]) =>
    changes.reduce((all, [place, how, by]) => {
      const at = place % (all.length + 1);
      if (how === "drop") return all.slice(0, at) + all.slice(at + 1);
      if (how === "double") return all.slice(0, at) + all.slice(at - 1);
      return all.slice(0, at) + by + all.slice(at + 1);
    }, text),
  );
}
