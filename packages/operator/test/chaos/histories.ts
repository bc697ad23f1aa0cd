import type { KubeObject, ResourceType } from "../../src/kube/port.js";
import { ABSENT, objectKeyOf } from "../../src/record/logged-state.js";
import { loggedResource, observe } from "../../src/record/observation.js";

export const AGENTS: ResourceType = {
  name: "agents.universe.ai/v1alpha1",
  group: "universe.ai",
  version: "v1alpha1",
  plural: "agents",
  kind: "Agent",
  namespaced: true,
  hasStatus: true,
  metadataOnly: false,
};

/** `namespace/name`, as the log names its aggregate, to what the API server had of it, oldest first: digests, ABSENT between two lives. */
export type Histories = ReadonlyMap<string, readonly string[]>;

/** Keeps every state that objects ever had. */
export class StateKeeper {
  readonly #states = new Map<string, string[]>();

  get histories(): Histories {
    return this.#states;
  }

  /** Right after a change, before anything else can have changed. */
  note(key: string, object: KubeObject | undefined): void {
    const digest = object === undefined ? ABSENT : digestOf(object);
    const states = this.#states.get(key) ?? [];
    this.#states.set(key, states);
    if ((states.at(-1) ?? ABSENT) !== digest) states.push(digest);
  }
}

/** Of the payload that an event about it has, by the operator's own rule. */
function digestOf(object: KubeObject): string {
  return observe(AGENTS, object, 0).digest;
}

/** The same, as JSON text. */
export function payloadOf(object: KubeObject): string {
  return observe(AGENTS, object, 0).payload ?? "";
}

/** What the recorder calls an object. */
export function keyOfAggregate(aggregateId: string): string {
  return objectKeyOf(loggedResource(AGENTS), aggregateId);
}
