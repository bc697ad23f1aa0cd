import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createPrivateKeyFile,
  formatPrivateKey,
  formatVerifierKey,
  generatePrivateKey,
  parsePrivateKey,
  readPrivateKey,
  signerOf,
} from "../../src/trust/index.js";

/** The example of Go's golang.org/x/mod/sumdb/note. */
const GO = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rynxs-key-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("private keys", () => {
  it("are read and written as Go's note package has them", () => {
    const key = parsePrivateKey(`${GO}\n`);
    expect(key).toMatchObject({ name: "PeterNeumann", type: "ed25519" });
    expect(formatPrivateKey(key)).toBe(GO);
    expect(formatVerifierKey(signerOf(key, () => 0).key)).toBe(PETER);
  });

  it("of cosigners have the other type byte, and the id of their own verifier key", () => {
    const key = generatePrivateKey("witness.example/w1", "cosignature/v1", () => Buffer.alloc(32, 7));
    const text = formatPrivateKey(key);
    const [, , , id, material] = text.split("+");
    expect(Buffer.from(material!, "base64")).toEqual(Buffer.concat([Buffer.of(4), Buffer.alloc(32, 7)]));
    expect(formatVerifierKey(signerOf(key, () => 0).key).split("+")[1]).toBe(id);
    expect(parsePrivateKey(text)).toEqual(key);
    expect(generatePrivateKey("a", "ed25519").seed).not.toEqual(generatePrivateKey("a", "ed25519").seed);
  });

  it.each([
    ["another id", GO.replace("c74f20a3", "c74f20a4")],
    ["another name", GO.replace("Peter", "Pater")],
    ["a type that nobody has", GO.replace("+AYEK", "+BYEK")],
    ["a short seed", "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEK"],
    ["base64 without its end", GO.slice(0, -1)],
    ["a verifier key", PETER],
    ["two lines", `${GO}\n${GO}\n`],
    ["a space before it", ` ${GO}`],
    ["nothing", ""],
  ])("with %s are refused, and not repeated", (_, text) => {
    expect(() => parsePrivateKey(text)).toThrow(
      expect.objectContaining({
        code: "INVALID_CONFIG",
        message: expect.not.stringContaining("AYEK") as string,
      }) as Error,
    );
  });
});

describe("key files", () => {
  const key = generatePrivateKey("example.com/log", "ed25519");

  it("are made with mode 0600, and read back", async () => {
    const path = join(folder, "a.key");
    await createPrivateKeyFile(path, key);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path, "utf8")).toBe(`${formatPrivateKey(key)}\n`);
    expect(await readPrivateKey(path)).toEqual(key);
  });

  it("are never replaced", async () => {
    const path = join(folder, "taken");
    await writeFile(path, "mine");
    await expect(createPrivateKeyFile(path, key)).rejects.toMatchObject({ code: "PATH_UNUSABLE" });
    expect(await readFile(path, "utf8")).toBe("mine");
  });

  it.each([0o640, 0o604, 0o644, 0o610, 0o602])("with mode %o are refused", async (mode) => {
    const path = join(folder, `mode-${String(mode)}`);
    await createPrivateKeyFile(path, key);
    await chmod(path, mode);
    await expect(readPrivateKey(path)).rejects.toMatchObject({
      code: "PATH_UNUSABLE",
      message: expect.stringContaining(mode.toString(8)) as string,
    });
    const link = `${path}.link`;
    await symlink(path, link);
    await expect(readPrivateKey(link)).rejects.toMatchObject({ code: "PATH_UNUSABLE" });
    await chmod(path, 0o400);
    expect(await readPrivateKey(link)).toEqual(key);
  });

  it("that are missing, directories, or no keys are told of by name", async () => {
    await expect(readPrivateKey(join(folder, "none"))).rejects.toMatchObject({ code: "PATH_UNUSABLE" });
    await chmod(folder, 0o700);
    await expect(readPrivateKey(folder)).rejects.toMatchObject({ code: "PATH_UNUSABLE" });
    const path = join(folder, "garbage");
    await writeFile(path, "x".repeat(10_000), { mode: 0o600 });
    await expect(readPrivateKey(path)).rejects.toMatchObject({ code: "INVALID_CONFIG", facts: { file: path } });
  });
});
