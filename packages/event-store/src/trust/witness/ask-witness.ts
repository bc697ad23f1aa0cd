import { BackendError, EventStoreError } from "../../core/errors.js";
import { backOff, type Runtime } from "../../system/runtime.js";

/** What a witness answered, of whatever status that is not worth another try. */
export interface WitnessReply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export interface AskOptions {
  readonly runtime: Runtime;
  /** For each try, in milliseconds. */
  readonly requestTimeoutMs: number;
  /** Of `runtime.elapsed()`: no try begins behind it. */
  readonly deadline: number;
  readonly signal?: AbortSignal | undefined;
}

/** Cosignatures of sixteen post-quantum keys have room. */
const MAX_REPLY_BYTES = 128 * 1024;
const BACK_OFF = { base: 200, cap: 5000 };

/**
 * Posts a request to a witness, again and again while it is only busy or out of reach. It may be repeated without harm: the witness
 * judges each by what it has seen. Redirects are not followed.
 * @throws BackendError UNAVAILABLE, REQUEST_REFUSED (an answer too long); EventStoreError ABORTED
 */
export async function askWitness(url: URL, body: string, options: AskOptions): Promise<WitnessReply> {
  const { runtime, deadline, signal } = options;
  for (let attempt = 0; ; attempt++) {
    const result = await attemptOnce(url, body, options);
    if (!("failure" in result)) return result;
    const pause = Math.max(result.pauseMs, backOff(runtime, attempt, BACK_OFF.base, BACK_OFF.cap));
    if (runtime.elapsed() + pause >= deadline) throw result.failure;
    await runtime.sleep(pause, signal);
  }
}

interface Failed {
  readonly failure: BackendError;
  /** As the witness asked for. */
  readonly pauseMs: number;
}

async function attemptOnce(url: URL, body: string, options: AskOptions): Promise<WitnessReply | Failed> {
  const { runtime, requestTimeoutMs, deadline, signal } = options;
  const left = Math.max(1, Math.min(requestTimeoutMs, deadline - runtime.elapsed()));
  const timeout = AbortSignal.timeout(Math.ceil(left));
  try {
    const response = await fetch(url, {
      method: "POST",
      body,
      headers: { "content-type": "text/plain; charset=utf-8" },
      redirect: "manual",
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    const { status } = response;
    if (status === 429 || status >= 500) {
      await response.body?.cancel();
      const failure = unavailable(url, `it answered ${String(status)}`, { status });
      return { failure, pauseMs: retryAfter(response.headers.get("retry-after"), runtime.now()) };
    }
    return { status, contentType: response.headers.get("content-type") ?? "", body: await bodyOf(response, url) };
  } catch (error) {
    if (error instanceof EventStoreError) throw error;
    if (signal?.aborted === true)
      throw new EventStoreError("ABORTED", `the request to ${url.href} was aborted`, { cause: signal.reason });
    const why = timeout.aborted ? `no answer within ${String(Math.ceil(left))} ms` : "it cannot be reached";
    return { failure: unavailable(url, why, {}, error), pauseMs: 0 };
  }
}

async function bodyOf(response: Response, url: URL): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // leaving the loop ends the transfer
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > MAX_REPLY_BYTES)
      throw new BackendError("REQUEST_REFUSED", `the witness at ${url.href} answers without end`, {
        facts: { endpoint: url.href, status: response.status },
        hint: "this is no witness, or a broken one: check its address",
      });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Milliseconds that a Retry-After header asks for: seconds, or a date. */
export function retryAfter(header: string | null, now: number): number {
  if (header === null) return 0;
  if (/^\d{1,6}$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? 0 : Math.max(0, date - now);
}

function unavailable(url: URL, why: string, facts: { readonly status?: number }, cause?: unknown): BackendError {
  return new BackendError("UNAVAILABLE", `the witness at ${url.href} is not available: ${why}`, {
    facts: { endpoint: url.href, operation: "POST", ...facts },
    hint: "try again later; if it stays so, ask its operator",
    cause,
  });
}
