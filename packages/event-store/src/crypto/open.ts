import { ConfigError } from "../core/errors.js";
import type { Environment } from "../stores/open.js";
import { emitWarning, type OnWarning } from "../system/warning.js";
import { commandKeyStore } from "./command-keys.js";
import { commandWrapper } from "./command-wrapper.js";
import { fileKeyStore } from "./file-keys.js";
import type { KeyStore } from "./key-store.js";
import { Keyring } from "./keyring.js";
import { objectKeyStore } from "./object-keys.js";
import { pseudonymOf } from "./subject.js";
import { fileWrapper, localWrapper, parseSecret, type Wrapper } from "./wrapper.js";

export interface KeyOverrides {
  /** `file:DIR`, `s3://BUCKET/PREFIX` or `command:PROGRAM`, instead of RYNXS_CRYPTO_KEYS. */
  readonly keys?: string | undefined;
  /** Of the S3 server, instead of S3_ENDPOINT. */
  readonly endpoint?: string | undefined;
  /** Instead of S3_REGION. */
  readonly region?: string | undefined;
  readonly onWarning?: OnWarning | undefined;
}

/** The key store that the environment (RYNXS_CRYPTO_KEYS) or the caller names. @throws ConfigError */
export async function openKeyStore(env: Environment, overrides: KeyOverrides = {}): Promise<KeyStore> {
  const keys = overrides.keys ?? set(env["RYNXS_CRYPTO_KEYS"]);
  if (keys === undefined) {
    throw new ConfigError("it is not said where the keys of subjects are", {
      hint: `${KEYS_HINT} (or the variable RYNXS_CRYPTO_KEYS)`,
    });
  }
  const [, kind, rest = ""] = /^(file:|command:|s3:\/\/)(.+)$/s.exec(keys) ?? [];
  if (kind === "file:" && !/^\/\/[^/]/.test(rest)) return fileKeyStore({ path: rest.replace(/^\/\/(?=\/)/, "") });
  if (kind === "command:") return commandKeyStore({ program: rest });
  const [, bucket, prefix] = (kind === "s3://" ? /^([^/]+)\/(.*[^/].*)$/s.exec(rest) : null) ?? [];
  if (bucket !== undefined) return openBucket(env, overrides, bucket, prefix);
  throw new ConfigError(`${JSON.stringify(keys)} does not name a key store`, { hint: KEYS_HINT });
}

const KEYS_HINT = "valid: file:DIR, s3://BUCKET/PREFIX, command:PROGRAM";

/** The HTTP client is loaded only when a bucket is opened. */
async function openBucket(
  env: Environment,
  { endpoint = set(env["S3_ENDPOINT"]), region = set(env["S3_REGION"]), onWarning = emitWarning }: KeyOverrides,
  bucket: string,
  prefix: string | undefined,
): Promise<KeyStore> {
  const { openS3Objects, openS3Upkeep } = await import("../objects/s3/index.js");
  const connection = { bucket, endpoint, region };
  const objects = openS3Objects(connection);
  if (objects.note !== undefined) onWarning({ code: "ENDPOINT_SCHEME_ASSUMED", message: objects.note });
  const remains = async (): Promise<string | null> => {
    const upkeep = openS3Upkeep(connection);
    try {
      return remainsOf(bucket, await upkeep.security.ask("versioning"));
    } finally {
      await upkeep.close();
    }
  };
  return objectKeyStore({ objects, prefix, remains });
}

function remainsOf(bucket: string, answer: { readonly kind: string; readonly document?: string }): string | null {
  if (answer.kind === "denied")
    return `it cannot be known whether the bucket ${bucket} keeps old versions of what is replaced (s3:GetBucketVersioning is denied)`;
  if (answer.kind !== "set" || !/<Status>\s*(Enabled|Suspended)\s*</.test(answer.document ?? "")) return null;
  return `the bucket ${bucket} is versioned: old versions still hold the wrapped keys, until they are deleted`;
}

/**
 * The key-encryption key: RYNXS_CRYPTO_KEY (32 bytes as base64 or hex), RYNXS_CRYPTO_KEY_FILE (of mode 0600) or RYNXS_CRYPTO_COMMAND (a
 * program); exactly one of them. @throws ConfigError
 */
export async function openWrapper(env: Environment): Promise<Wrapper> {
  const [key, file, program] = WRAPPERS.map((name) => set(env[name]));
  if ([key, file, program].filter((value) => value !== undefined).length !== 1) {
    throw new ConfigError("it is not said, or said more than once, which key-encryption key to use", {
      hint: `set exactly one of ${WRAPPERS.join(", ")}`,
    });
  }
  if (key !== undefined) return localWrapper(parseSecret(key, "RYNXS_CRYPTO_KEY"));
  return file === undefined ? commandWrapper({ program: program ?? "" }) : fileWrapper(file);
}

const WRAPPERS = ["RYNXS_CRYPTO_KEY", "RYNXS_CRYPTO_KEY_FILE", "RYNXS_CRYPTO_COMMAND"] as const;

/** Key store and key-encryption key as the environment says. @throws ConfigError */
export async function openKeyring(env: Environment, overrides: KeyOverrides = {}): Promise<Keyring> {
  const wrapper = await openWrapper(env);
  return new Keyring({ store: await openKeyStore(env, overrides), wrapper });
}

/** With RYNXS_CRYPTO_PSEUDONYM_KEY (32 bytes as base64 or hex) the subject's pseudonym, else the subject. @throws ConfigError */
export function subjectFrom(env: Environment, subject: string): string {
  const secret = set(env["RYNXS_CRYPTO_PSEUDONYM_KEY"]);
  return secret === undefined ? subject : pseudonymOf(subject, parseSecret(secret, "RYNXS_CRYPTO_PSEUDONYM_KEY"));
}

function set(value: string | undefined): string | undefined {
  const text = value?.trim();
  return text === "" ? undefined : text;
}
