/**
 * The testing kit of `@rynxs/operator`: a Kubernetes API server in this process that can fail on demand.
 */
export * from "./fake-cluster/index.js";
export type { KubeObject } from "../kube/port.js";
