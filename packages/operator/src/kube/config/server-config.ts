import type { Runtime } from "@rynxs/event-store";
import type { CredentialSource } from "./credentials.js";

/** Where the API server is and how to prove each side to the other. */
export interface KubeConfig {
  /** `https://10.0.0.1:443`, perhaps with a path, without a slash at the end. */
  readonly server: string;
  /** The pod's, or the context's; `default` when neither says. */
  readonly namespace: string;
  /** Where this came from, for people: a file, or `in cluster`. */
  readonly source: string;
  readonly tls: ServerTrust;
  readonly credentials: CredentialSource;
}

export interface ServerTrust {
  /** PEM of the authorities to trust, read anew for each connection so that they can be rotated; undefined: the system's. */
  ca(): Promise<string | undefined>;
  /** Name to expect in the certificate, when it is not the address's. */
  readonly serverName: string | undefined;
  /** False only where the kubeconfig says insecure-skip-tls-verify. */
  readonly verify: boolean;
}

export interface KubeConfigOptions {
  readonly runtime: Runtime;
  /** Default `/var/run/secrets/kubernetes.io/serviceaccount`. */
  readonly serviceAccountFolder?: string;
  /** Default: of the user. */
  readonly home?: string;
  /** Context to use instead of the kubeconfig's current one. */
  readonly context?: string;
}
