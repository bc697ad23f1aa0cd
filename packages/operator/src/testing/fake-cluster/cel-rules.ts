import * as causes from "./causes.js";
import type { Cause } from "./failure.js";
import { isObject, mapValues, stringAt, type JsonObject } from "./json.js";
import { arrayAt, itemsOf, propertySchema, type Schema } from "./schema.js";

/** Runs an expression on variables. @throws an error of the library's */
type Program = (variables: JsonObject) => unknown;
type Compile = (expression: string) => Program;

/** Judges the `x-kubernetes-validations` of a schema. */
export interface CelRules {
  /** What does not hold. `old` is undefined when the object is new: then rules on `oldSelf` are left out. */
  causes(value: unknown, old: unknown, schema: Schema, path: string): Cause[];
  /** Rules that could not be judged, because they use what only Kubernetes' own CEL library has; each with the reason. */
  readonly unjudged: ReadonlyMap<string, string>;
}

/** Null when the optional package `@marcbachmann/cel-js` is not installed: then no such rule is judged. */
export async function loadCelRules(): Promise<CelRules | null> {
  try {
    const { parse } = await import("@marcbachmann/cel-js");
    return celRules(parse);
  } catch {
    return null;
  }
}

function celRules(compile: Compile): CelRules {
  const unjudged = new Map<string, string>();
  const programs = new Map<string, Program>();
  const run = (expression: string, variables: JsonObject): unknown => {
    const program = programs.get(expression) ?? compile(expression);
    programs.set(expression, program);
    return program(variables);
  };

  const judge = (rule: unknown, self: unknown, oldSelf: unknown, path: string): Cause[] => {
    const expression = stringAt(rule, "rule") ?? "";
    if (oldSelf === undefined && /\boldSelf\b/.test(expression)) return [];
    const variables = { self, ...(oldSelf === undefined ? {} : { oldSelf }) };
    try {
      if (run(expression, variables) === true) return [];
    } catch (error) {
      unjudged.set(expression, error instanceof Error ? error.message : String(error));
      return [];
    }
    const said = stringAt(rule, "message") ?? spoken(rule, variables, run) ?? `failed rule: ${expression}`;
    const field = path + (stringAt(rule, "fieldPath") ?? "");
    if (stringAt(rule, "reason") === "FieldValueRequired") return [causes.required(field, said)];
    return [causes.wrong(field === "" ? "<nil>" : field, Array.isArray(self) ? "array" : kindOf(self), said)];
  };

  const walk = (value: unknown, old: unknown, schema: Schema, path: string): Cause[] => {
    const rules = arrayAt(schema, "x-kubernetes-validations");
    const found: Cause[] = [];
    if (rules.length > 0) {
      const self = celValue(value, schema);
      const oldSelf = old === undefined ? undefined : celValue(old, schema);
      found.push(...rules.flatMap((rule) => judge(rule, self, oldSelf, path)));
    }
    if (Array.isArray(value)) {
      const items = itemsOf(schema);
      // Items of lists have no old self here: only lists of type map have one on a real server.
      if (items !== undefined) {
        value.forEach((item, index) => found.push(...walk(item, undefined, items, `${path}[${String(index)}]`)));
      }
    } else if (isObject(value)) {
      for (const [key, inner] of Object.entries(value)) {
        const known = propertySchema(schema, key);
        const before = isObject(old) ? old[key] : undefined;
        if (known !== undefined) found.push(...walk(inner, before, known, path === "" ? key : `${path}.${key}`));
      }
    }
    return found;
  };
  return { causes: walk, unjudged };
}

function spoken(rule: unknown, variables: JsonObject, run: (text: string, of: JsonObject) => unknown): string | null {
  const expression = stringAt(rule, "messageExpression");
  if (expression === undefined) return null;
  try {
    return String(run(expression, variables));
  } catch {
    return null;
  }
}

function kindOf(value: unknown): string {
  return value === null ? "null" : typeof value === "bigint" ? "integer" : typeof value;
}

/** CEL tells int from double: the schema says which one a JSON number is. */
function celValue(value: unknown, schema: Schema): unknown {
  if (typeof value === "number") {
    const integer = schema["type"] === "integer" || schema["x-kubernetes-int-or-string"] === true;
    return integer && Number.isInteger(value) ? BigInt(value) : value;
  }
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    return items === undefined ? value : value.map((item) => celValue(item, items));
  }
  if (!isObject(value)) return value;
  return mapValues(value, (inner, key) => {
    const known = propertySchema(schema, key);
    return known === undefined ? inner : celValue(inner, known);
  });
}
