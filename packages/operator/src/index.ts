export { KUBE_ERROR_CODES, KubeError, type KubeErrorCode, type KubeErrorFacts } from "./kube/errors.js";
export type * from "./kube/port.js";
export type * from "./watch/sink.js";
