import { ConfigError, type BackendError } from "../../core/errors.js";
import { failure, type Attempt } from "./attempt.js";

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  /** When they end; undefined: never. */
  readonly expiration?: Date | undefined;
}

/**
 * Fetches credentials; with `forceRefresh` not the same ones again. A rejection with the name `CredentialsProviderError`
 * says that there are none, any other is trouble that may pass.
 */
export type S3CredentialsProvider = (options?: { readonly forceRefresh?: boolean }) => Promise<S3Credentials>;

export interface CredentialOptions {
  /** Wins over all others. */
  readonly credentials?: S3Credentials | S3CredentialsProvider | undefined;
  readonly accessKeyId?: string | undefined;
  readonly secretAccessKey?: string | undefined;
  readonly sessionToken?: string | undefined;
  /** Default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/** Credentials this close to their end are fetched anew, while the old ones still serve. */
const REFRESH_BEFORE_MS = 5 * 60_000;
/** How long a failed early refresh rests. */
const REFRESH_PAUSE_MS = 10_000;

/**
 * The options, else AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, else AWS's own chain (profiles, web
 * identity, container and instance roles), whose code is loaded only then.
 * @throws ConfigError for half a pair, or one with white space in it
 */
export function credentialProvider(options: CredentialOptions): S3CredentialsProvider {
  const { credentials } = options;
  if (typeof credentials === "function") return credentials;
  const env = options.env ?? process.env;
  const found =
    pair(credentials ?? options, ["accessKeyId", "secretAccessKey", "sessionToken"]) ??
    pair(
      {
        accessKeyId: env["AWS_ACCESS_KEY_ID"],
        secretAccessKey: env["AWS_SECRET_ACCESS_KEY"],
        sessionToken: env["AWS_SESSION_TOKEN"],
      },
      ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
    );
  if (found !== undefined) return () => Promise.resolve(found);
  return lazyChain();
}

type Given = { readonly [K in keyof S3Credentials]?: S3Credentials[K] | undefined };
type Names = readonly [id: string, secret: string, token: string];

function pair(given: Given, names: Names): S3Credentials | undefined {
  const [accessKeyId, secretAccessKey, sessionToken] = [
    given.accessKeyId,
    given.secretAccessKey,
    given.sessionToken,
  ].map((value) => (value === "" ? undefined : value));
  if (accessKeyId === undefined && secretAccessKey === undefined && sessionToken === undefined) return undefined;
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    const missing = accessKeyId === undefined ? names[0] : names[1];
    throw new ConfigError(`half a pair of S3 credentials: ${missing} is missing`, {
      hint: `set both ${names[0]} and ${names[1]}, or neither`,
    });
  }
  [accessKeyId, secretAccessKey, sessionToken ?? ""].forEach((value, i) => {
    if (/[^\x21-\x7e]/.test(value)) {
      throw new ConfigError(`${names[i] ?? ""} has white space or other characters that no key has`, {
        hint: "often it is the newline of `echo` or of a file: write it with printf",
      });
    }
  });
  return { accessKeyId, secretAccessKey, sessionToken, expiration: given.expiration };
}

function lazyChain(): S3CredentialsProvider {
  let chain: S3CredentialsProvider | undefined;
  return async (options) => {
    chain ??= (await import("@aws-sdk/credential-provider-node")).defaultProvider();
    return chain(options);
  };
}

/** Keeps what a provider gave until shortly before it expires. However many ask, the provider is asked once at a time. */
export class CredentialCache {
  readonly #provider: S3CredentialsProvider;
  readonly #clock: () => number;
  #held: S3Credentials | undefined;
  #fetching: Promise<S3Credentials> | undefined;
  #notBefore = 0;

  constructor(provider: S3CredentialsProvider, clock: () => number) {
    this.#provider = provider;
    this.#clock = clock;
  }

  /** Credentials to sign with, at once when there are any. The promise is rejected as the provider's was. */
  get(): S3Credentials | Promise<S3Credentials> {
    const held = this.#held;
    if (held === undefined) return this.#fetch();
    if (held.expiration === undefined) return held;
    const now = this.#clock();
    const left = held.expiration.getTime() - now;
    if (left <= 0) return this.#fetch();
    if (left <= REFRESH_BEFORE_MS && now >= this.#notBefore) {
      this.#notBefore = now + REFRESH_PAUSE_MS;
      this.#fetch().catch(() => undefined);
    }
    return held;
  }

  /** The server says that `used` is over: are there others now? */
  async renewed(used: S3Credentials): Promise<boolean> {
    const held = this.#held;
    try {
      return !same(used, held !== undefined && !same(held, used) ? held : await this.#fetch());
    } catch {
      return false;
    }
  }

  #fetch(): Promise<S3Credentials> {
    this.#fetching ??= this.#ask().finally(() => (this.#fetching = undefined));
    return this.#fetching;
  }

  async #ask(): Promise<S3Credentials> {
    this.#held = await this.#provider(this.#held === undefined ? {} : { forceRefresh: true });
    return this.#held;
  }
}

function same(a: S3Credentials, b: S3Credentials): boolean {
  return (
    a.accessKeyId === b.accessKeyId && a.secretAccessKey === b.secretAccessKey && a.sessionToken === b.sessionToken
  );
}

/** What a failed fetch means: there are no credentials, which is final; or, undefined, trouble that may pass. */
export function noCredentials(error: unknown, attempt: Attempt): BackendError | undefined {
  if (!(error instanceof Error) || error.name !== "CredentialsProviderError") return undefined;
  const hint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where a role provides them";
  return failure("ACCESS_DENIED", attempt, "there are no credentials", { message: error.message, hint, cause: error });
}
