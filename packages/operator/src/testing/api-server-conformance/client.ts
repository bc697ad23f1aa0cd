/** What the cases need of an HTTP client. It signs in, trusts the server's certificate, and never repeats a request. */
export interface ApiClient {
  request(call: ApiCall): Promise<ApiAnswer>;
  /** Opens a watch: `watch=true` is added to the query. Resolves with the answer's headers. */
  watch(call: ApiWatchCall): Promise<ApiWatch>;
}

export interface ApiCall {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Without the query. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON; a string is sent as it is. */
  readonly body?: unknown;
  /** Default `application/json`. */
  readonly contentType?: string;
  /** Default `application/json`. */
  readonly accept?: string;
}

export interface ApiAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed, if it is JSON; else its text. */
  readonly body: unknown;
}

export interface ApiWatchCall {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly accept?: string;
  /** Ends it. */
  readonly signal: AbortSignal;
}

export interface ApiWatch {
  readonly status: number;
  /** Each line of the answer, parsed. Ends when the server or the signal ends it. */
  readonly events: AsyncIterable<unknown>;
}
