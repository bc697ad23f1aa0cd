/**
 * The testing kit of `@rynxs/operator`: a Kubernetes API server in this process that can fail on demand, and the suite that it
 * passes just as a real one does.
 */
export * from "./fake-cluster/index.js";
export {
  agentDefinition,
  apiServerCases,
  DEFAULT_SPEC,
  prepareApiServer,
  type ApiAnswer,
  type ApiCall,
  type ApiClient,
  type ApiServerCase,
  type ApiServerContext,
  type ApiWatch,
  type ApiWatchCall,
  type PreparedApiServer,
} from "./api-server-conformance/index.js";
export type { KubeObject } from "../kube/port.js";
