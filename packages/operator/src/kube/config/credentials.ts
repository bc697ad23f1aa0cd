import { readFile } from "node:fs/promises";
import type { Runtime } from "@rynxs/event-store";
import { KubeError } from "../errors.js";

/** What proves to the server who we are. */
export interface Credentials {
  /** Value of the Authorization header. */
  readonly authorization?: string;
  /** PEM; a client certificate and its key come together. */
  readonly certificate?: string;
  readonly key?: string;
}

export interface CredentialSource {
  /** @throws KubeError INVALID_CONFIG */
  get(): Promise<Credentials>;
  /** The server answered 401 to these. False: there are no others to be had. */
  refused(credentials: Credentials): boolean;
}

export function fixedCredentials(credentials: Credentials): CredentialSource {
  return { get: () => Promise.resolve(credentials), refused: () => false };
}

/** How long a token that was read from a file is used before the file is looked at again. */
const TOKEN_FILE_MS = 60_000;

/**
 * A bearer token in a file that others renew: a service account's lasts an hour, and the kubelet writes the next one well
 * before that. Read again after a minute, or when the server refused the one at hand.
 */
export function tokenFile(file: string, runtime: Runtime, others: Credentials = {}): CredentialSource {
  let held: Credentials | undefined;
  let readAt = 0;
  return {
    async get() {
      if (held !== undefined && runtime.elapsed() - readAt < TOKEN_FILE_MS) return held;
      const at = runtime.elapsed();
      let authorization: string;
      try {
        authorization = await readToken(file);
      } catch (error) {
        // While it is being written, say; the one at hand may do for as long as the server does not refuse it.
        if (held === undefined || readAt === -Infinity) throw error;
        return held;
      }
      if (held?.authorization !== authorization) held = { ...others, authorization };
      readAt = at;
      return held;
    },
    refused(credentials) {
      // Another request may have read the file anew meanwhile.
      if (held === credentials) readAt = -Infinity;
      return true;
    },
  };
}

async function readToken(file: string): Promise<string> {
  const token = (await readConfigFile(file, "token")).trim();
  if (token === "") throw new KubeError("INVALID_CONFIG", `token file ${file} is empty`, { facts: { file } });
  return bearer(token, file);
}

/** @throws KubeError when the token cannot stand in a header; the message does not hold it */
export function bearer(token: string, where: string): string {
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new KubeError("INVALID_CONFIG", `the token in ${where} holds characters that no token has`, {
      facts: { file: where },
    });
  }
  return `Bearer ${token}`;
}

/** @throws KubeError naming the file and what it was to hold */
export async function readConfigFile(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    throw new KubeError("INVALID_CONFIG", `cannot read ${what} file ${file}: ${code}`, { facts: { file } });
  }
}
