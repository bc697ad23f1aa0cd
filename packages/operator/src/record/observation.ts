import { hash } from "node:crypto";
import { canonicalState } from "@rynxs/event-store";
import type { KubeObject, ObjectMeta, ResourceType } from "../kube/port.js";
import { ABSENT, objectKeyOf, payloadDigest } from "./logged-state.js";

/** An object as the cluster had it at one moment, ready to become an event. */
export interface Observation {
  /** `objectKeyOf` its resource and aggregate id. */
  readonly key: string;
  readonly subject: Subject;
  /** Canonical JSON of the event's payload; null for a deletion, whose payload is the last that the log has. */
  readonly payload: string | null;
  /** `payloadDigest`, or ABSENT for a deletion. */
  readonly digest: string;
  /** Monotonic milliseconds at which it was seen. */
  readonly at: number;
  /** A deletion that was concluded, not seen: to be checked with the API server. */
  readonly doubtful: boolean;
  /** What its status was written against; undefined when it is not known. */
  readonly status?: SeenStatus | undefined;
}

/** Which object it is. */
export interface Subject {
  readonly resource: ResourceType;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly uid: string | undefined;
  readonly generation: number | undefined;
}

export interface SeenStatus {
  readonly resourceVersion: string;
  /** As it stands in the object. */
  readonly conditions: readonly unknown[];
}

/** Annotations of tools and controllers say nothing of what somebody wanted, and the first of them repeats the whole object. */
const VOLATILE_ANNOTATIONS = ["kubectl.kubernetes.io/", "deployment.kubernetes.io/"];

/** The group whose events have always carried the plural alone. */
export const HOME_GROUP = "universe.ai";

/** meta.resource: `agents`, `configmaps` (core), `deployments.apps`. */
export function loggedResource({ group, plural }: ResourceType): string {
  return group === "" || group === HOME_GROUP ? plural : `${plural}.${group}`;
}

/** `namespace/name`, or `name` for what is of the whole cluster. */
export function aggregateIdOf({
  namespace,
  name,
}: {
  readonly namespace?: string | undefined;
  readonly name: string;
}): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

export function subjectOf(resource: ResourceType, { name, namespace, uid, generation }: ObjectMeta): Subject {
  return { resource, name, namespace, uid, generation };
}

export function keyOf(subject: Pick<Subject, "resource" | "namespace" | "name">): string {
  return objectKeyOf(loggedResource(subject.resource), aggregateIdOf(subject));
}

/** `AgentObserved`, `AgentDeleted`. */
export function eventTypeOf({ subject, payload }: Pick<Observation, "subject" | "payload">): string {
  return `${subject.resource.kind}${payload === null ? "Deleted" : "Observed"}`;
}

/** @throws EventStoreError when the object holds what no event may hold (a lone surrogate) */
export function observe(resource: ResourceType, object: KubeObject, at: number): Observation {
  const { metadata } = object;
  const spec = resource.metadataOnly ? {} : specOf(object);
  const subject = subjectOf(resource, metadata);
  const payload = canonicalState({
    name: metadata.name,
    ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
    labels: metadata.labels ?? {},
    // Of what must stay unknown, tools keep copies in annotations of their own.
    annotations: resource.metadataOnly ? {} : lasting(metadata.annotations ?? {}),
    spec,
    spec_hash: hash("sha256", canonicalState(spec), "hex").slice(0, 16),
    ...(metadata.generation !== undefined && { generation: metadata.generation }),
  });
  return {
    key: keyOf(subject),
    subject,
    payload,
    digest: payloadDigest(payload),
    at,
    doubtful: false,
    status: seenStatus(object),
  };
}

export function observeDeletion(subject: Subject, at: number, doubtful: boolean): Observation {
  return { key: keyOf(subject), subject, payload: null, digest: ABSENT, at, doubtful };
}

/** What somebody wants: the spec; of a kind that has none (a ConfigMap), all that is neither metadata nor status. */
function specOf(object: KubeObject): unknown {
  if ("spec" in object) return object["spec"] ?? {};
  return Object.fromEntries(Object.entries(object).filter(([field]) => !ENVELOPE.has(field)));
}

const ENVELOPE = new Set(["apiVersion", "kind", "metadata", "status"]);

function lasting(annotations: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(annotations).filter(([name]) => !VOLATILE_ANNOTATIONS.some((prefix) => name.startsWith(prefix))),
  );
}

function seenStatus(object: KubeObject): SeenStatus | undefined {
  const { resourceVersion } = object.metadata;
  if (resourceVersion === undefined) return undefined;
  return { resourceVersion, conditions: conditionsOf(object) };
}

/** status.conditions, or none. */
export function conditionsOf(object: KubeObject): readonly unknown[] {
  const { conditions } = (object["status"] ?? {}) as { readonly conditions?: unknown };
  return Array.isArray(conditions) ? conditions : [];
}
