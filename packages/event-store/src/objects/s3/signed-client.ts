import type { PutFence } from "../port.js";
import { expiredPut, failure, trouble, type Attempt } from "./attempt.js";
import { answerFacts } from "./answer-facts.js";
import { classifyAnswer, classifyNetworkError } from "./classify.js";
import { noCredentials, type CredentialCache, type S3Credentials } from "./credentials.js";
import type { BucketLocation } from "./endpoint.js";
import type { HttpAnswer, HttpConnections, HttpRequest } from "./http.js";
import { SIGNATURE_LATE_MS, type ServerClock } from "./server-clock.js";
import { EMPTY_SHA256, sha256Hex, SigV4 } from "./sigv4.js";
import type { Reply } from "./transport.js";

export interface S3Request {
  readonly attempt: Attempt;
  readonly method: HttpRequest["method"];
  readonly path: string;
  readonly query?: string;
  /** Without `host`; all of them are signed. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body?: Uint8Array;
  /** Not to be sent once the clock that it is signed with is past this; Unix milliseconds. */
  readonly notAfter?: number | undefined;
}

/**
 * Signs requests, sends them and says what the answers mean. A request is sent once; only one that the server refused for
 * its date, or for credentials that have expired meanwhile, and so certainly did nothing, is signed and sent a second time.
 */
export class SignedClient {
  readonly #host: string;
  readonly #http: HttpConnections;
  readonly #credentials: CredentialCache;
  readonly #signer: SigV4;
  readonly #clock: ServerClock;
  readonly #userAgent: string;

  constructor(
    location: BucketLocation,
    http: HttpConnections,
    credentials: CredentialCache,
    clock: ServerClock,
    userAgent: string,
  ) {
    this.#host = location.host;
    this.#http = http;
    this.#credentials = credentials;
    this.#signer = new SigV4(location.region);
    this.#clock = clock;
    this.#userAgent = userAgent;
  }

  get clockSkewMs(): number | undefined {
    return this.#clock.skewMs;
  }

  get fence(): PutFence {
    return { now: () => this.#clock.signingTime(), lateMs: SIGNATURE_LATE_MS };
  }

  async send(request: S3Request, signal: AbortSignal | undefined): Promise<Reply<HttpAnswer>> {
    const bodyHash = request.body === undefined ? EMPTY_SHA256 : sha256Hex(request.body);
    for (let second = false; ; second = true) {
      if (signal?.aborted === true) return { kind: "aborted", sent: false };
      let credentials: S3Credentials;
      try {
        const held = this.#credentials.get();
        credentials = held instanceof Promise ? await held : held;
      } catch (error) {
        return this.#withoutCredentials(error, request.attempt);
      }
      const signedAt = this.#clock.signingTime();
      if (request.notAfter !== undefined && signedAt > request.notAfter) return expiredPut(request.attempt);
      const outcome = await this.#http.request(this.#signed(request, bodyHash, credentials, signedAt), signal);
      if (outcome.kind === "aborted") return outcome;
      if (outcome.kind === "failed") return classifyNetworkError(outcome.error, request.attempt, outcome.sent);

      const { answer } = outcome;
      this.#clock.learn(answer.headers.date);
      if (answer.status >= 200 && answer.status < 300) return { kind: "ok", value: answer };

      const facts = answerFacts(answer, this.#clock.now(), credentials);
      const verdict = classifyAnswer(facts, request.attempt);
      if (!second) {
        if (verdict.kind === "clock-skewed" && this.#clock.correct(facts.serverTime)) continue;
        if (verdict.kind === "credentials-expired" && (await this.#credentials.renewed(credentials))) continue;
      }
      return verdict;
    }
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  #signed(
    { method, path, query = "", headers, body }: S3Request,
    bodyHash: string,
    credentials: S3Credentials,
    signedAt: number,
  ): HttpRequest {
    const unsigned = { method, path, query, headers: [...headers, ["host", this.#host] as const], bodyHash };
    const signed = this.#signer.sign(unsigned, credentials, signedAt);
    signed.push("user-agent", this.#userAgent);
    return { method, target: query === "" ? path : `${path}?${query}`, headers: signed, body: body ?? null };
  }

  #withoutCredentials(error: unknown, attempt: Attempt): Reply<never> {
    const none = noCredentials(error, attempt);
    if (none !== undefined) return { kind: "refused", error: none };
    const hint = "look at where the credentials come from (profile, role, token service); the cause says more";
    return trouble(
      failure("UNAVAILABLE", attempt, "the credentials could not be fetched", { hint, cause: error }),
      false,
    );
  }
}
