import type { KubeObject, ResourceType } from "../kube/port.js";
import { resourcePath } from "../kube/resource-path.js";
import type { ObjectKey, WatchScope } from "./sink.js";

/** What each request of a scope has in common. */
export interface ScopeRequest {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly accept: string | undefined;
}

const METADATA = "g=meta.k8s.io;v=v1";

export function listRequest(scope: WatchScope): ScopeRequest {
  return { ...request(scope), accept: accept(scope.resource, "PartialObjectMetadataList") };
}

export function watchRequest(scope: WatchScope): ScopeRequest {
  return { ...request(scope), accept: accept(scope.resource, "PartialObjectMetadata") };
}

/** No fall-back to plain JSON for metadata only: a server that cannot leave the contents out is to refuse (406). */
function accept(resource: ResourceType, kind: string): string | undefined {
  return resource.metadataOnly ? `application/json;as=${kind};${METADATA}` : undefined;
}

function request({ resource, namespace, labelSelector }: WatchScope): Omit<ScopeRequest, "accept"> {
  return {
    path: resourcePath(resource, { namespace }),
    query: labelSelector === undefined ? {} : { labelSelector },
  };
}

export function objectKey({ metadata }: KubeObject): ObjectKey {
  const { namespace, name } = metadata;
  return namespace === undefined || namespace === "" ? name : `${namespace}/${name}`;
}
