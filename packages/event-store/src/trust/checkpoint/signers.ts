import { spawn } from "node:child_process";
import { ConfigError, EventStoreError } from "../../core/errors.js";
import { isSignedBy, type VerifierKey } from "../note/key.js";
import type { NoteSigner } from "../note/signer.js";
import { parseSignature, type NoteSignature } from "../note/signed-note.js";
import { createPrivateFile, readPrivateFile } from "../note/private-file.js";
import { formatPrivateKey, generatePrivateKey, parsePrivateKey, signerOf } from "../note/private-key.js";

const MAX_KEY_BYTES = 16 * 1024;
const MAX_OUTPUT_BYTES = 64 * 1024;

/** Makes a key for the log of that name, in a file of mode 0600 that must not exist yet. */
export async function generateKeyFile(path: string, name: string): Promise<NoteSigner> {
  const key = generatePrivateKey(name, "ed25519");
  await createPrivateFile(path, `${formatPrivateKey(key)}\n`);
  return signerOf(key, Date.now);
}

/**
 * Signs with a key from a file of mode 0600. `name`: of the log, needed for a key in PEM.
 * @throws ConfigError; BackendError PATH_UNUSABLE when others than the owner may use the file
 */
export async function keyFileSigner(path: string, name?: string): Promise<NoteSigner> {
  const text = await readPrivateFile(path, MAX_KEY_BYTES);
  if (text === null)
    throw new ConfigError(`there is no signing key at ${path}`, {
      facts: { file: path },
      hint: "`rynxs key generate` makes one",
    });
  const key = parsePrivateKey(text, name);
  return signerOf(key, Date.now);
}

/** Signs with the key that a variable holds. `text`: its value. @throws ConfigError */
export function keyTextSigner(text: string, name?: string): NoteSigner {
  const key = parsePrivateKey(text, name);
  return signerOf(key, Date.now);
}

export interface CommandSignerOptions {
  /** The public half of the key that the command signs with. */
  readonly key: VerifierKey;
  /** The program and its arguments; no shell is involved. */
  readonly command: readonly [string, ...string[]];
  /** Milliseconds, default 30,000. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Signs by a command, which has the private key in a KMS or an HSM: it gets the text on standard input and writes the signature line
 * (`— NAME BASE64`) to standard output. What it writes is verified before it is used.
 */
export function commandSigner({ key, command, timeoutMs = 30_000 }: CommandSignerOptions): NoteSigner {
  return {
    key,
    sign: async (text) => {
      const output = await runSigner(command, text, timeoutMs);
      let signature: NoteSignature;
      try {
        signature = parseSignature(output.trimEnd());
      } catch (error) {
        throw failed(command, "wrote something else than one signature line", error);
      }
      if (signature.name !== key.name || signature.keyId !== key.id)
        throw failed(command, `signed with another key than ${key.name}`);
      if (!isSignedBy(key, Buffer.from(text), signature.signature))
        throw failed(command, "gave a signature that its public key does not verify");
      return signature;
    },
  };
}

async function runSigner(command: readonly [string, ...string[]], text: string, timeoutMs: number): Promise<string> {
  const [program, ...args] = command;
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], timeout: timeoutMs, killSignal: "SIGKILL" });
  let output = "";
  let complaints = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk;
    if (output.length > MAX_OUTPUT_BYTES) child.kill("SIGKILL");
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    if (complaints.length < 2000) complaints += chunk;
  });
  // It may end before it has read everything.
  child.stdin.on("error", () => undefined);
  child.stdin.end(text);
  return await new Promise<string>((resolve, reject) => {
    child.on("error", (error) => {
      reject(failed(command, "could not be started", error));
    });
    child.on("close", (code, signal) => {
      const said = complaints.trim() === "" ? "" : `: ${complaints.trim().slice(0, 500)}`;
      if (code === 0) resolve(output);
      else if (signal !== null)
        reject(failed(command, `was ended after ${String(timeoutMs)} ms, or said too much${said}`));
      else reject(failed(command, `ended with ${String(code)}${said}`));
    });
  });
}

function failed([program]: readonly [string, ...string[]], problem: string, cause?: unknown): EventStoreError {
  return new EventStoreError("UNAVAILABLE", `the signing command ${program} ${problem}`, {
    facts: { operation: "sign" },
    hint: "nothing was signed; run the command by hand with a text on its standard input",
    ...(cause !== undefined && { cause }),
  });
}
