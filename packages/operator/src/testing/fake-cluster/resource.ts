import type { KubeObject } from "../../kube/port.js";
import type { Cause } from "./failure.js";
import type { JsonObject } from "./json.js";

export interface PrinterColumn {
  readonly name: string;
  readonly type: string;
  readonly jsonPath: string;
  readonly description?: string | undefined;
  readonly format?: string | undefined;
  /** Above 0: shown only by `-o wide`. */
  readonly priority?: number | undefined;
}

/** A kind of resource as it is served in one version. */
export interface Resource {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  readonly hasStatus: boolean;
  /** Counts metadata.generation. */
  readonly hasGeneration: boolean;
  /** A PUT without metadata.resourceVersion overwrites what is there. */
  readonly unconditionalUpdate: boolean;
  /** A PUT of what is not there creates it. */
  readonly createOnUpdate: boolean;
  /** Which objects it shows: versions of one kind share them. */
  readonly storage: string;
  /** Beside Name, and Age where there is none. */
  readonly columns: readonly PrinterColumn[];
  readonly custom: boolean;
  /** Brings what a client sent into the form in which it is stored. @throws ApiFailure for what cannot be decoded */
  admit(object: JsonObject): Admitted;
  /** What is wrong with an object that is to be stored; `old` is what it replaces. */
  validate(object: KubeObject, old: KubeObject | undefined): readonly Cause[];
  /** The stored object in this version. The same object as long as nothing has to change. */
  serve(stored: KubeObject): KubeObject;
}

export interface Admitted {
  readonly object: JsonObject;
  /** Fields that were dropped because no schema knows them. */
  readonly unknownFields: readonly string[];
}

export function apiVersionOf({ group, version }: { group: string; version: string }): string {
  return group === "" ? version : `${group}/${version}`;
}

/** `namespace/name`, or `name`. */
export function keyOf(namespace: string | undefined, name: string): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

export function keyOfObject({ metadata }: KubeObject): string {
  return keyOf(metadata.namespace, metadata.name);
}

const asIs = (object: JsonObject): Admitted => ({ object, unknownFields: [] });

/** A resource of the server's own, with what most of them have in common. */
export function builtIn(
  group: string,
  version: string,
  plural: string,
  kind: string,
  rest: Partial<Resource> = {},
): Resource {
  return {
    group,
    version,
    plural,
    kind,
    singular: kind.toLowerCase(),
    shortNames: [],
    categories: [],
    namespaced: true,
    hasStatus: false,
    hasGeneration: false,
    unconditionalUpdate: true,
    createOnUpdate: false,
    storage: plural,
    columns: [],
    custom: false,
    admit: asIs,
    validate: () => [],
    serve: (stored) => stored,
    ...rest,
  };
}
