import { checkGet, checkKey, checkList, checkPut, closedError, throwIfAborted } from "../check.js";
import type {
  GetOptions,
  ListOptions,
  ListPage,
  ObjectStore,
  PutFence,
  PutOptions,
  PutOutcome,
  StoredObject,
} from "../port.js";
import { failure, type Attempt } from "./attempt.js";
import { Retrier, type RetryOptions } from "./retry.js";
import type { Condition, Reply, S3Transport, Settled } from "./transport.js";

/** An ObjectStore on an S3 server. Made by `openS3Objects` and `sdkS3Objects`. */
export class S3Objects implements ObjectStore {
  readonly identity: string;
  /** Something to tell the user once, such as the scheme that was assumed for the endpoint. */
  readonly note: string | undefined;
  readonly #transport: S3Transport;
  readonly #retrier: Retrier;
  readonly #closing = new AbortController();
  /** Ceph's gateway wants the ETag in If-Match without its quotes, all others with them. Learned at the first need. */
  #bareEtags = false;

  constructor(transport: S3Transport, identity: string, retry: RetryOptions, note?: string) {
    this.#transport = transport;
    this.#retrier = new Retrier(retry);
    this.identity = identity;
    this.note = note;
  }

  get clockSkewMs(): number | undefined {
    return this.#transport.clockSkewMs;
  }

  get fence(): PutFence {
    return this.#transport.fence;
  }

  async putIfAbsent(key: string, body: Uint8Array, options: PutOptions = {}): Promise<PutOutcome> {
    checkPut(key, options);
    this.#throwIfClosed();
    return this.#outcome(key, options, await this.#transport.put(key, body, { header: "if-none-match" }, options));
  }

  async replaceIfMatch(key: string, body: Uint8Array, etag: string, options: PutOptions = {}): Promise<PutOutcome> {
    checkPut(key, options);
    this.#throwIfClosed();
    const bare = etag.replaceAll(/^"|"$/g, "");
    const send = (text: string): Promise<Reply<string>> => {
      const condition: Condition = { header: "if-match", etag: text };
      return this.#transport.put(key, body, condition, options);
    };
    const reply = await send(this.#bareEtags ? bare : etag);
    if (reply.kind !== "condition-failed" || this.#bareEtags || bare === etag)
      return this.#outcome(key, options, reply);

    // Nothing was stored. Either the object is another by now, or this server wants the ETag without quotes.
    const now = await this.#transport.head(key, options.signal);
    if (now.kind === "trouble" || now.kind === "aborted") return this.#outcome(key, options, now);
    if (now.kind !== "ok" || now.value.object.etag !== etag) return { outcome: "exists" };
    const second = await send(bare);
    if (second.kind === "ok") this.#bareEtags = true;
    return this.#outcome(key, options, second);
  }

  async get(key: string, options: GetOptions = {}): Promise<StoredObject | null> {
    checkGet(key, options);
    const { range, signal, onSlowDown } = options;
    const attempt = this.#transport.attempt("GET", key);
    const reply = await this.#retried(attempt, signal, () => this.#transport.get(key, range, signal), onSlowDown);
    if (reply.kind === "ok") {
      const { object, partial } = reply.value;
      return range === undefined || partial
        ? object
        : { ...object, body: object.body.subarray(range.start, range.end) };
    }
    if (reply.kind === "no-key") return null;
    if (range?.start === 0) {
      // Empty; or a server that minds a range which ends behind the object.
      const all = await this.#retried(attempt, signal, () => this.#transport.get(key, undefined, signal), onSlowDown);
      return all.kind === "ok" ? { ...all.value.object, body: all.value.object.body.subarray(0, range.end) } : null;
    }
    // The range begins behind the end of the object: all that it lacks is a body.
    const whole = await this.#retried(attempt, signal, () => this.#transport.head(key, signal));
    return whole.kind === "ok" ? whole.value.object : null;
  }

  async list(options: ListOptions): Promise<ListPage> {
    const maxKeys = checkList(options);
    const { prefix, startAfter = "", signal } = options;
    const attempt = this.#transport.attempt("LIST");
    const reply = await this.#retried(attempt, signal, () =>
      this.#transport.list({ prefix, startAfter, maxKeys }, signal),
    );
    if (reply.kind === "ok") return reply.value;
    throw failure("REQUEST_REFUSED", attempt, "the server has no listing of this bucket");
  }

  async delete(key: string, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    checkKey(key);
    const { signal } = options;
    await this.#retried(this.#transport.attempt("DELETE", key), signal, () => this.#transport.delete(key, signal));
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await this.#transport.close();
  }

  #throwIfClosed(): void {
    if (this.#closing.signal.aborted) throw closedError(this.identity);
  }

  /** @throws BackendError for everything but success and what the port has an answer for */
  async #retried<T>(
    attempt: Attempt,
    signal: AbortSignal | undefined,
    send: () => Promise<Reply<T>>,
    onSlowDown?: () => void,
  ): Promise<Extract<Settled<T>, { kind: "ok" | "no-key" | "range-beyond-end" }>> {
    const once = async (): Promise<Reply<T>> => {
      this.#throwIfClosed();
      throwIfAborted(signal, attempt.operation);
      const reply = await send();
      if (onSlowDown && reply.kind === "trouble" && asksForLess(reply.error.facts.status)) onSlowDown();
      return reply;
    };
    const reply = await this.#retrier.run(once, signal, this.#closing.signal);
    switch (reply.kind) {
      case "ok":
      case "no-key":
      case "range-beyond-end":
        return reply;
      case "aborted":
        throw failure("ABORTED", attempt, "the call was aborted", { cause: signal?.reason });
      case "condition-failed":
        throw failure("REQUEST_REFUSED", attempt, "the server saw a condition where there was none");
      default:
        throw reply.error;
    }
  }

  /** What a conditional write came to. @throws BackendError for a definite refusal */
  #outcome(key: string, { signal }: PutOptions, reply: Reply<string>): PutOutcome {
    switch (reply.kind) {
      case "ok":
        return { outcome: "stored", etag: reply.value };
      case "condition-failed":
        return { outcome: "exists" };
      case "trouble": {
        const { sent, error: cause, retryAfterMs, expired } = reply;
        return {
          outcome: "unknown",
          sent,
          cause,
          ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
          ...(expired === undefined ? {} : { expired }),
        };
      }
      case "aborted": {
        const cause = failure("ABORTED", this.#transport.attempt("PUT", key), "the call was aborted", {
          cause: signal?.reason,
        });
        return { outcome: "unknown", sent: reply.sent, cause };
      }
      case "no-key":
      case "range-beyond-end":
        throw failure(
          "REQUEST_REFUSED",
          this.#transport.attempt("PUT", key),
          `the server answered ${reply.kind} to a write`,
        );
      default:
        throw reply.error;
    }
  }
}

/** 503 SlowDown, 429 Too Many Requests. */
function asksForLess(status: number | undefined): boolean {
  return status === 503 || status === 429;
}
