export { ApiFailure, type Cause, type Status } from "./failure.js";
export {
  CLUSTER_FAULTS,
  ClusterFaultTable,
  type ClusterFault,
  type ClusterFaultCatalogue,
  type ClusterFaultRule,
  type ClusterFaultWhen,
  type WatchFault,
} from "./faults.js";
export type { FakeClusterOptions } from "./options.js";
export type { ClientOf } from "./partitions.js";
export { rbacAuthorizer, ruleAllows, type AccessRequest, type Authorize } from "./rbac.js";
export type { LoggedClusterRequest } from "./request-log.js";
export { FakeCluster, startFakeCluster } from "./server.js";
export { TEST_CA_CERTIFICATE } from "./test-certificates.js";
export type { Identity, Tokens } from "./tokens.js";
