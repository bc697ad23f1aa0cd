export interface LoggedClusterRequest {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** get, list, watch, create … */
  readonly verb: string;
  /** Plural; empty for what is no resource. */
  readonly resource: string;
  readonly subresource: string | undefined;
  readonly userAgent: string;
  readonly accept: string;
  /** `1.1` or `2.0`. */
  readonly protocol: string;
  /** Unix milliseconds of its arrival. */
  readonly at: number;
  /** What the client was told; null when it was told nothing (yet). */
  status: number | null;
  /** Name of the fault that the request met. */
  readonly fault: string | null;
}

/** The last requests, oldest first. `push` keeps it within its bounds. */
export class RequestLog {
  readonly #limit: number;
  readonly #entries: LoggedClusterRequest[] = [];
  #total = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Of all requests ever, also of those that are not held any more. */
  get total(): number {
    return this.#total;
  }

  get entries(): readonly LoggedClusterRequest[] {
    return this.#entries;
  }

  push(entry: LoggedClusterRequest): void {
    this.#total++;
    this.#entries.push(entry);
    if (this.#entries.length > this.#limit) this.#entries.splice(0, Math.ceil(this.#limit / 10));
  }

  clear(): void {
    this.#entries.length = 0;
  }
}
