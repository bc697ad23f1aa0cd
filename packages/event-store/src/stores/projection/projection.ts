import { ConfigError } from "../../core/errors.js";
import type { AnyEvents, EventMap, RecordedEvent } from "../../core/event.js";

/**
 * A state that is built from a log's events, one after the other: a balance, a list of open orders, whatever the events add up to.
 * The state is canonical JSON (what may stand in a payload may stand in it), so that it can be kept and compared: no Map, no
 * Date, no class, no NaN. A BigInt within ±(2^53 − 1) comes back from a snapshot as a number, and an `undefined` property not at all.
 */
export interface Projection<S, E extends EventMap = AnyEvents> {
  /** 1 to 100 of A–Z, a–z, 0–9, `.`, `_` and `-`: part of the keys of its snapshots. */
  readonly name: string;
  /** Of the code, a positive integer: raise it with every change of what `apply` does, or old snapshots would be taken for its own. */
  readonly version: number;
  /** The state before the first event, or what makes one. A value is copied, so that `apply` may change what it is given. */
  readonly initial: S | (() => S);
  /**
   * The state with one more event: a new one, or the one it was given, changed. Nothing but its two arguments may matter: no clock, no chance,
   * nothing that it remembers elsewhere. Synchronous.
   */
  readonly apply: (state: S, event: RecordedEvent<E>) => S;
  /** Only these events are applied; default: all. */
  readonly filter?: ProjectionFilter<NoInfer<E>> | undefined;
}

export interface ProjectionFilter<E extends EventMap = AnyEvents> {
  readonly type?: (keyof E & string) | readonly (keyof E & string)[] | undefined;
  readonly aggregateId?: string | undefined;
}

const NAME = /^[A-Za-z0-9._-]{1,100}$/;
const FIELDS = new Set(["name", "version", "initial", "apply", "filter"]);

/** Checks a projection, so that what is wrong with it shows where it is written. @throws ConfigError */
export function defineProjection<S, E extends EventMap = AnyEvents>(given: Projection<S, E>): Projection<S, E> {
  if (typeof (given as unknown) !== "object" || (given as unknown) === null)
    throw wrong("a projection is an object", "give { name, version, initial, apply }");
  for (const key of Object.keys(given))
    if (!FIELDS.has(key)) throw wrong(`a projection has no ${JSON.stringify(key)}`, `it has ${[...FIELDS].join(", ")}`);
  const { name, version, apply, filter } = given;
  checkName(name);
  if (!Number.isSafeInteger(version) || version < 1)
    throw wrong(`the version of projection ${name} must be a positive integer, not ${String(version)}`);
  if (!Object.hasOwn(given, "initial")) throw wrong(`projection ${name} has no initial state`);
  if (typeof (apply as unknown) !== "function")
    throw wrong(`apply of projection ${name} must be a function`, "(state, event) => state");
  if (filter !== undefined) checkFilter(name, filter);
  return Object.freeze({ ...given });
}

/** @throws ConfigError */
export function checkName(name: string): void {
  if (typeof (name as unknown) === "string" && NAME.test(name) && name !== "." && name !== "..") return;
  throw wrong(
    `${JSON.stringify(name)} cannot be the name of a projection`,
    "a name is 1 to 100 of A-Z, a-z, 0-9, '.', '_' and '-': it becomes part of a key",
  );
}

function checkFilter(name: string, filter: ProjectionFilter<never>): void {
  const { type, aggregateId, ...unknown }: { type?: unknown; aggregateId?: unknown } = filter;
  const types: readonly unknown[] = Array.isArray(type) ? type : [type ?? "any"];
  const isName = (value: unknown): boolean => typeof value === "string" && value !== "";
  if (types.length > 0 && types.every(isName) && isName(aggregateId ?? "any") && Object.keys(unknown).length === 0)
    return;
  throw wrong(
    `the filter of projection ${name} is not usable`,
    "give { type?: a type or several, aggregateId?: an aggregate's id }",
  );
}

function wrong(message: string, hint?: string): ConfigError {
  return new ConfigError(message, hint === undefined ? {} : { hint });
}
