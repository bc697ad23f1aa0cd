import { ConfigError } from "../../core/errors.js";
import { EMPTY_ROOT, HASH_BYTES } from "../merkle/hash.js";
import { decodeBase64 } from "../note/base64.js";
import type { Memory } from "./memory.js";

/** A tree, named by its size and root. */
export interface Tree {
  readonly size: number;
  /** 32 bytes. */
  readonly root: Buffer;
}

/** The last tree that a key has signed for a log; size 0 when it has signed none. @throws ConfigError when what is remembered cannot be read */
export async function lastSigned(memory: Memory, origin: string): Promise<Tree> {
  const text = await memory.read();
  if (text === null) return { size: 0, root: EMPTY_ROOT };
  const state = parsed(text);
  const root = typeof state?.["root"] === "string" ? decodeBase64(state["root"]) : null;
  const size = state?.["size"];
  if (state?.["signer"] !== 1 || typeof size !== "number" || !Number.isSafeInteger(size) || root?.length !== HASH_BYTES)
    throw unusable(memory, "cannot be read");
  if (state["origin"] !== origin) throw unusable(memory, "is of another log");
  return { size, root };
}

/** Before it signs: a signature that nobody sees costs nothing, one that is forgotten could be contradicted. */
export async function rememberSigned(memory: Memory, origin: string, { size, root }: Tree): Promise<void> {
  await memory.write(`${JSON.stringify({ signer: 1, origin, size, root: root.toString("base64") })}\n`);
}

function parsed(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function unusable({ place }: Memory, problem: string): ConfigError {
  return new ConfigError(`what the signer remembers, ${place}, ${problem}; nothing was signed`, {
    facts: { file: place },
    hint: "a signer without its memory could be made to sign two logs: find out what happened to the file; to begin anew, remove it once you have verified the log with a checkpoint from elsewhere",
  });
}
