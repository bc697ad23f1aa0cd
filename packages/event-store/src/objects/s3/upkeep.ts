import { throwIfAborted } from "../check.js";
import { failure, type Attempt } from "./attempt.js";
import type { HttpAnswer } from "./http.js";
import { Retrier, type RetryOptions } from "./retry.js";
import type { S3Request, SignedClient } from "./signed-client.js";
import type { Reply } from "./transport.js";

/** Sends requests that are about a bucket or an object rather than its content, again while they may succeed. */
export class UpkeepClient {
  readonly #client: SignedClient;
  readonly #retrier: Retrier;

  constructor(client: SignedClient, retry: RetryOptions) {
    this.#client = client;
    this.#retrier = new Retrier(retry);
  }

  /**
   * The answer; or, when the server refuses with one of the codes `known`, that code. Null: there is no such object.
   * @throws BackendError for everything else
   */
  async send<C extends string = never>(
    request: S3Request,
    signal: AbortSignal | undefined,
    ...known: readonly C[]
  ): Promise<HttpAnswer | C | null> {
    const { attempt } = request;
    const once = async (): Promise<Reply<HttpAnswer | C>> => {
      throwIfAborted(signal, attempt.operation);
      const reply = await this.#client.send(request, signal);
      const said = "error" in reply ? reply.error.facts.backendCode : undefined;
      const code = known.find((each) => each === said);
      return code === undefined ? reply : { kind: "ok", value: code };
    };
    const reply = await this.#retrier.run(once, signal);
    if (reply.kind === "ok") return reply.value;
    if (reply.kind === "no-key") return null;
    if ("error" in reply) throw reply.error;
    throw reply.kind === "aborted"
      ? failure("ABORTED", attempt, "the call was aborted", { cause: signal?.reason })
      : failure("REQUEST_REFUSED", attempt, `the server answered ${reply.kind}`);
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

/** An answer's document, which has to be there. @throws BackendError */
export function documentOf(answer: HttpAnswer | null, attempt: Attempt): string {
  const text = answer?.body.toString("utf8") ?? "";
  if (text !== "") return text;
  throw failure("UNAVAILABLE", attempt, "the answer is empty", {
    hint: "check that the endpoint is an S3 server and not something in front of it",
  });
}
