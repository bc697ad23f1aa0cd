import type { KubeError } from "./errors.js";

/**
 * What the operator needs of a Kubernetes API server. One call is one attempt: whoever calls knows when it is worth another.
 * Integers in answers beyond 2^53 are BigInts, so that no object loses a digit.
 */
export interface KubeApi {
  /** Address of the server, for people; no secrets. */
  readonly server: string;

  /** The parsed body of the answer. @throws KubeError */
  request(request: KubeRequest): Promise<unknown>;

  /**
   * Opens a watch and hands out its events as they come; the loop that reads them is what bounds how many are under way. It ends when the
   * server ends it. Leaving the loop, or an abort, ends the request. @throws KubeError, also GONE for an ERROR event of code 410
   */
  watch(request: WatchRequest): AsyncIterable<WatchEvent>;

  /** Ends the connections. Requests under way fail. */
  close(): Promise<void>;
}

export interface KubeRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** `/apis/universe.ai/v1alpha1/agents`: with no query; each part already URL-encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>> | undefined;
  readonly body?: unknown;
  /** Of the body; default `application/json`. A JSON merge patch is `application/merge-patch+json`. */
  readonly contentType?: string | undefined;
  /** Default `application/json`. */
  readonly accept?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for the whole answer; default 15,000. */
  readonly timeoutMs?: number | undefined;
}

export interface WatchRequest {
  readonly path: string;
  /** Without `watch=true`, which is added. */
  readonly query: Readonly<Record<string, string>>;
  readonly accept?: string | undefined;
  /** Aborted with {@link STALLED_CONNECTION} the watch ends, and its connection takes no more requests. */
  readonly signal: AbortSignal;
  /** Milliseconds until the server's first byte of the answer (its headers); default 15,000. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Reason to abort with when an answer, or the rest of one, should have come long ago: the other end of the connection may be gone without
 * a word, and what is sent on it would wait for ever. Others' requests on it end only if the server then answers no ping.
 */
export const STALLED_CONNECTION: Error = new Error("the connection stalled");

export type WatchEvent =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: KubeObject }
  /** Nothing changed; its metadata.resourceVersion is where a new watch may start. */
  | { readonly type: "BOOKMARK"; readonly object: KubeObject };

export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

export interface ObjectMeta {
  readonly name: string;
  /** Absent for what is of the whole cluster. */
  readonly namespace?: string;
  readonly uid?: string;
  /** Opaque. */
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly labels?: Readonly<Record<string, string>> | null;
  readonly annotations?: Readonly<Record<string, string>> | null;
  readonly [field: string]: unknown;
}

/** A kind of resource, as discovery tells it. */
export interface ResourceType {
  /** `agents.universe.ai/v1alpha1`; `configmaps/v1` in the core group. */
  readonly name: string;
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** It has a status subresource that can be patched. */
  readonly hasStatus: boolean;
  /** Only its metadata is ever asked for: of Secrets. */
  readonly metadataOnly: boolean;
}

export type { KubeError };
