/** One HTTP request, as either version of HTTP sends it. */
export interface HttpRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /**
   * Read once. Fails with a {@link ConnectionError} when the answer breaks off; leaving it ends the request. Nothing is read from the
   * connection that is not taken, beyond a window of some hundred kilobytes.
   */
  readonly body: AsyncIterable<Uint8Array>;
}

/** There is no answer, or it broke off. */
export class ConnectionError extends Error {
  /** The server certainly did nothing: the request was not sent, or refused before it was looked at. */
  readonly unsent: boolean;
  /** The connection had ended when the request came, or did before an answer. */
  readonly lost: boolean;

  constructor(message: string, details: { unsent?: boolean; lost?: boolean; cause?: unknown } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "ConnectionError";
    this.unsent = details.unsent ?? false;
    this.lost = details.lost ?? false;
  }
}

/** A short word on what happened to a connection; of system errors their code, since messages repeat addresses. */
export function connectionProblem(error: unknown): string {
  if (!(error instanceof Error)) return "unknown error";
  // With several addresses Node reports one error that holds those of each.
  if (error instanceof AggregateError && error.errors.length > 0) return connectionProblem(error.errors[0]);
  const code = (error as NodeJS.ErrnoException).code;
  return code === undefined || code.startsWith("UND_ERR") ? error.message : code;
}
