import type { KubeObject } from "../../kube/port.js";
import type { JsonObject } from "./json.js";

/** Everything but the content: what clients may ask for that must not see it. */
export function partialMetadata({ metadata }: KubeObject): JsonObject {
  return { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata };
}
