import type { Authorize } from "./rbac.js";

export interface FakeClusterOptions {
  /** Default: a free one. */
  readonly port?: number | undefined;
  /** Default `127.0.0.1`. */
  readonly host?: string | undefined;
  /** `https` (default): with a certificate for localhost. `http`: like kubectl proxy, requests need no token. */
  readonly transport?: "https" | "http" | undefined;
  /** Offers HTTP/2 besides HTTP/1.1, by ALPN; default true. Only with https. */
  readonly http2?: boolean | undefined;
  /** The first bearer token; default `test-token`. */
  readonly token?: string | undefined;
  /** The token's user; default `test`. */
  readonly user?: string | undefined;
  /** Who may do what; default: everybody everything. See `rbacAuthorizer`. */
  readonly authorize?: Authorize | undefined;
  /** Namespaces beside `default` and those of Kubernetes' own. */
  readonly namespaces?: readonly string[] | undefined;
  /** Objects that are there from the start, in the order in which they can be created: definitions before their resources. */
  readonly objects?: readonly object[] | undefined;
  /** Changes that watches can still start from; default 10,000. */
  readonly historyLimit?: number | undefined;
  /** Milliseconds between bookmarks; default 60,000. */
  readonly bookmarkIntervalMs?: number | undefined;
  /** Milliseconds that a watch lasts that names no time-out; default 30 minutes. */
  readonly watchTimeoutMs?: number | undefined;
  /** Requests that the log holds; default 10,000. */
  readonly requestLogLimit?: number | undefined;
  /** Waits so long before it processes a request. */
  readonly latencyMs?: number | undefined;
  /** Default `v1.33.0`. */
  readonly version?: string | undefined;
  /** The server's clock, Unix milliseconds. */
  readonly now?: (() => number) | undefined;
  /** Fresh ids of 32 hex digits: for uids and generated names. */
  readonly id?: (() => string) | undefined;
}
