import { isObject } from "./json.js";

/** A step takes the values found so far to the next ones. */
type Step = (values: readonly unknown[]) => unknown[];

const TOKEN =
  /\.((?:\\.|[^.[\]\\])+)|\['([^']*)'\]|\[(\d+)\]|\[(\*)\]|\[\?\(@\.([\w.-]+)\s*==\s*(?:"([^"]*)"|'([^']*)')\)\]/y;

/**
 * The part of JSONPath that printer columns use: `.a.b`, `['a.b']`, `.a\.b`, `[0]`, `[*]` and `[?(@.type=="Ready")]`.
 * Returns null for any other path.
 */
export function jsonPath(path: string): ((value: unknown) => unknown[]) | null {
  const steps: Step[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < path.length) {
    const match = TOKEN.exec(path);
    if (match === null) return null;
    const [, field, quoted, index, star, filterField, double, single] = match;
    const name = quoted ?? field?.replaceAll(/\\(.)/g, "$1");
    if (name !== undefined) steps.push(at(name));
    else if (index !== undefined) steps.push((values) => values.flatMap((value) => nth(value, Number(index))));
    else if (star !== undefined) steps.push((values) => values.flatMap(everything));
    else steps.push(where((filterField ?? "").split("."), double ?? single ?? ""));
  }
  return (value) => steps.reduce<unknown[]>((values, step) => step(values), [value]);
}

function at(name: string): Step {
  return (values) => values.flatMap((value) => (isObject(value) && Object.hasOwn(value, name) ? [value[name]] : []));
}

function nth(value: unknown, index: number): unknown[] {
  return Array.isArray(value) && index < value.length ? [value[index] as unknown] : [];
}

function everything(value: unknown): unknown[] {
  if (Array.isArray(value)) return value as unknown[];
  return isObject(value) ? Object.values(value) : [];
}

function where(path: readonly string[], wanted: string): Step {
  const find = (item: unknown): unknown =>
    path.reduce((inner, key) => (isObject(inner) ? inner[key] : undefined), item);
  return (values) => values.flatMap(everything).filter((item) => String(find(item)) === wanted);
}
