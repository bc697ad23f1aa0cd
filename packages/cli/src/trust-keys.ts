import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Memory, NoteSigner, VerifierKey } from "@rynxs/event-store/trust";
import { usageError } from "./exit.js";
import type { StoreFlags } from "./options.js";
import { storeFlags } from "./options.js";

/** Whose signature counts, for every command that verifies. */
export interface TrustFlags {
  /** The log's verifier keys, each its text or a file's name. */
  readonly key?: readonly string[];
  readonly origin?: string;
  readonly witnessKey?: readonly string[];
  readonly quorum?: number;
}

/** Which key signs. */
export interface SigningFlags extends StoreFlags {
  readonly origin?: string;
  readonly signingKey?: readonly string[];
  readonly signerCommand?: string;
  readonly signerKey?: string;
}

/** A file is read up to here: a proof has at most 16 MiB. */
const MAX_FILE_BYTES = 20 * 1024 * 1024;

export async function trustOf({ key = [], origin, witnessKey = [], quorum }: TrustFlags): Promise<{
  keys: VerifierKey[];
  origin: string | undefined;
  witnesses: VerifierKey[];
  quorum: number | undefined;
}> {
  const [keys, witnesses] = await Promise.all([verifierKeys(key), verifierKeys(witnessKey)]);
  if (keys.length === 0) throw usageError("whose signature counts?", "give the log's verifier key with --key");
  if (quorum !== undefined && quorum > witnesses.length)
    throw usageError(
      `--quorum is ${String(quorum)}, but so many witnesses are not given`,
      "give each with --witness-key",
    );
  return { keys, origin, witnesses, quorum };
}

/** Verifier keys, each as its text, or in a file (`FILE` or `@FILE`) with one a line. @throws CliError; ConfigError for what is none */
export async function verifierKeys(given: readonly string[]): Promise<VerifierKey[]> {
  const { parseVerifierKey } = await import("@rynxs/event-store/trust");
  const texts = await Promise.all(
    given.map(async (text) => (IS_KEY.test(text) ? [text] : (await readText(text.replace(/^@/, ""))).split("\n"))),
  );
  const lines = texts.flat().filter((line) => line.trim() !== "");
  if (given.length > 0 && lines.length === 0) throw usageError("the key file is empty");
  return lines.map(parseVerifierKey);
}

/** What begins so is no name of a file that anybody would choose. */
const IS_KEY = /^[^+]+\+[0-9a-f]{8}\+/;

/** @throws CliError INVALID_CONFIG when it cannot be read */
export async function readText(file: string): Promise<string> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw usageError(`cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  });
  if (text.length > MAX_FILE_BYTES) throw usageError(`${file} is too large to be what it should be`);
  return text;
}

/** The log's name, as the flags or its place give it; null for a log in a file without --origin. */
export async function originOfFlags(flags: SigningFlags): Promise<string | null> {
  if (flags.origin !== undefined) return flags.origin;
  const { originOfPlace } = await import("@rynxs/event-store/trust");
  const { storeConfig } = await import("@rynxs/event-store/open");
  const log = storeConfig(process.env, storeFlags(flags));
  return log.type === "s3" ? originOfPlace(`s3://${log.bucket}/${log.prefix.replace(/\/+$/, "")}`) : null;
}

/** Where a log's signing key is kept when nothing else is said. */
export async function defaultKeyFile(origin: string): Promise<string> {
  const { stateFileName } = await import("@rynxs/event-store/trust");
  const base = process.env["XDG_CONFIG_HOME"];
  const folder = base?.startsWith("/") === true ? base : join(homedir(), ".config");
  return join(folder, "rynxs", "keys", stateFileName(origin, "signer-key").replace(/\.signer-key\.json$/, ".key"));
}

/** The keys that sign: a command's, files', the environment's, or the one of that log in its usual place. */
export async function signersOf(flags: SigningFlags): Promise<NoteSigner[]> {
  const { commandSigner, keyFileSigner, keyTextSigner } = await import("@rynxs/event-store/trust");
  const { origin, signingKey = [], signerCommand, signerKey } = flags;
  const signers: NoteSigner[] = [];
  if ((signerCommand === undefined) !== (signerKey === undefined))
    throw usageError("--signer-command and --signer-key go together: the command signs, the key verifies what it gave");
  if (signerCommand !== undefined && signerKey !== undefined) {
    const [key] = await verifierKeys([signerKey]);
    if (key) signers.push(commandSigner({ key, command: ["/bin/sh", "-c", signerCommand] }));
  }
  for (const file of signingKey) signers.push(await keyFileSigner(file, origin));
  if (signers.length > 0) return signers;
  const variable = process.env["RYNXS_SIGNING_KEY"];
  if (variable !== undefined && variable.trim() !== "") return [keyTextSigner(variable, origin)];
  const name = await originOfFlags(flags);
  if (name === null)
    throw usageError("which key?", "a log in a file has no name of its own: give --signing-key FILE, or --origin NAME");
  return [await keyFileSigner(await defaultKeyFile(name), origin)];
}

/** What a signer remembers of a log. */
export async function signerMemory({ key }: NoteSigner, origin: string, folder?: string): Promise<Memory> {
  const { fileMemory, stateDirectory, stateFileName } = await import("@rynxs/event-store/trust");
  const id = key.id.toString(16).padStart(8, "0");
  return fileMemory(join(folder ?? stateDirectory(process.env), stateFileName(origin, `signer-${id}`)));
}

/** What a verifier remembers of a log. */
export async function verifierMemory(origin: string, file?: string): Promise<Memory> {
  const { fileMemory, stateDirectory, stateFileName } = await import("@rynxs/event-store/trust");
  return fileMemory(file ?? join(stateDirectory(process.env), stateFileName(origin, "verifier")));
}
