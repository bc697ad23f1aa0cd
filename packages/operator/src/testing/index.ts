export type { KubeObject } from "../kube/port.js";
