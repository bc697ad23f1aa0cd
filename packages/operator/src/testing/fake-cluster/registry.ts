import type { JsonObject } from "./json.js";
import type { CelRules } from "./cel-rules.js";
import { BUILT_INS } from "./built-ins.js";
import { customResources } from "./custom-resources.js";
import { apiVersionOf, type Resource } from "./resource.js";

/** What the server serves: its own resources and those of the definitions that clients create. */
export class Registry {
  readonly #cel: CelRules | null;
  readonly #custom = new Map<string, readonly Resource[]>();

  constructor(cel: CelRules | null) {
    this.#cel = cel;
  }

  all(): Resource[] {
    return [...BUILT_INS, ...[...this.#custom.values()].flat()];
  }

  find(group: string, version: string, plural: string): Resource | undefined {
    return this.all().find((each) => each.plural === plural && each.group === group && each.version === version);
  }

  /** By what an object says of itself. */
  findKind(apiVersion: string, kind: string): Resource | undefined {
    return this.all().find((each) => each.kind === kind && apiVersionOf(each) === apiVersion);
  }

  ofStorage(storage: string): Resource | undefined {
    return this.all().find((each) => each.storage === storage);
  }

  /** Serves what a definition defines, as it is now. */
  define(name: string, crd: JsonObject): void {
    this.#custom.set(name, customResources(crd, this.#cel));
  }

  /** Stops serving it; returns where its objects are. */
  withdraw(name: string): string | undefined {
    const storage = this.#custom.get(name)?.[0]?.storage;
    this.#custom.delete(name);
    return storage;
  }
}
