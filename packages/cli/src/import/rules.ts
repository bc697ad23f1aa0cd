import { InvalidEventError, JsonText } from "@rynxs/event-store";
import { usageError } from "../exit.js";
import type { Path } from "./path.js";
import { follow, parsePath } from "./path.js";

/** What a rule makes of a line; undefined: nothing, and its member is left out. @throws InvalidEventError */
export type Rule = (line: JsonText) => JsonText | undefined;

/** Members by which an object in a map is known to be a rule, and those that may stand beside each. */
const RULES: Readonly<Record<string, readonly string[]>> = {
  const: [],
  template: [],
  object: [],
  path: ["default", "optional"],
};

/**
 * `"$.path"`, `{"path","default"?,"optional"?}`, `{"const"}`, `{"template"}`, or an object whose members are rules. `at` is where in
 * the map it stands.
 * @throws CliError INVALID_CONFIG
 */
export function compileRule(rule: JsonText, at: string): Rule {
  const text = stringOf(rule);
  if (text !== undefined) return required(pathOf(text, at));
  if (!rule.isObject)
    throw mapError(at, "is no rule", `to give a value as it is, write {"const": ${rule.canonical.slice(0, 40)}}`);
  const kind = Object.keys(RULES).find((name) => rule.get(name) !== undefined);
  if (kind === undefined) return compileObject(rule, at);
  checkMembers(rule, at, [kind, ...(RULES[kind] ?? [])]);
  const value = rule.get(kind) ?? rule;
  switch (kind) {
    case "const":
      return () => value;
    case "template":
      return compileTemplate(stringOf(value), `${at}.template`);
    case "object":
      if (!value.isObject) throw mapError(`${at}.object`, "must be an object whose members are rules");
      return compileObject(value, `${at}.object`);
    default:
      return compilePath(rule, at);
  }
}

function compilePath(rule: JsonText, at: string): Rule {
  const path = pathOf(stringOf(rule.get("path")), `${at}.path`);
  const fallback = rule.get("default");
  if (flagOf(rule, "optional", at) && fallback !== undefined)
    throw mapError(at, "is optional and has a default: one of them");
  if (fallback === undefined && !flagOf(rule, "optional", at)) return required(path);
  return (line) => {
    const value = follow(path, line);
    return value === undefined || value.canonical === "null" ? fallback : value;
  };
}

function required(path: Path): Rule {
  return (line) => {
    const value = follow(path, line);
    if (value !== undefined) return value;
    throw new InvalidEventError(
      path.text,
      "there is no such value in this line",
      'let the rule say "optional": true, or a "default"',
    );
  };
}

function compileObject(members: JsonText, at: string): Rule {
  const rules = members
    .keys()
    .map((key) => ({ key, rule: compileRule(members.get(key) ?? members, `${at}[${JSON.stringify(key)}]`) }));
  return (line) => {
    const made = rules.map(({ key, rule }) => ({ key, value: rule(line) })).filter(({ value }) => value !== undefined);
    return JsonText.parse(`{${made.map(({ key, value }) => `${JSON.stringify(key)}:${String(value)}`).join(",")}}`);
  };
}

/** `order-{$.orderId}`: values in braces; a brace itself is doubled. */
function compileTemplate(template: string | undefined, at: string): Rule {
  if (template === undefined) throw mapError(at, "must be a string");
  const pieces = [...template.matchAll(/\{\{|\}\}|\{((?:"(?:[^"\\]|\\.)*"|[^{}"])*)\}|[^{}]+|[{}]/g)].map(
    ([whole, path]) => {
      if (path !== undefined) return pathOf(path, at);
      if (whole === "{" || whole === "}")
        throw mapError(at, `has a single ${whole}`, `double a brace that stands for itself`);
      return whole === "{{" || whole === "}}" ? whole.slice(1) : whole;
    },
  );
  return (line) =>
    JsonText.parse(
      JSON.stringify(pieces.map((piece) => (typeof piece === "string" ? piece : fill(piece, line))).join("")),
    );
}

function fill(path: Path, line: JsonText): string {
  const value = follow(path, line);
  const text = value && (stringOf(value) ?? (/^[[{n]/.test(value.canonical) ? undefined : value.canonical));
  if (text !== undefined) return text;
  const what = value === undefined ? "there is no such value in this line" : "is neither a string nor a number";
  throw new InvalidEventError(path.text, what, "a template is made of strings, numbers and booleans that are there");
}

export function pathOf(text: string | undefined, at: string): Path {
  const path = text === undefined ? null : parsePath(text);
  if (path !== null) return path;
  throw mapError(
    at,
    text === undefined ? "must be a path" : `${JSON.stringify(text)} is no path`,
    'a path is $, then .name, [0] or ["any key"]; to give text as it is, write {"const": "…"}',
  );
}

export function stringOf(value: JsonText | undefined): string | undefined {
  return value?.canonical.startsWith('"') ? (JSON.parse(value.canonical) as string) : undefined;
}

export function flagOf(rule: JsonText, name: string, at: string): boolean {
  const value = rule.get(name)?.canonical ?? "false";
  if (value !== "true" && value !== "false") throw mapError(`${at}.${name}`, "must be true or false");
  return value === "true";
}

export function checkMembers(rule: JsonText, at: string, known: readonly string[]): void {
  const unknown = rule.keys().find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw mapError(
    `${at}[${JSON.stringify(unknown)}]`,
    "is not known here",
    `known: ${known.join(", ")}; an object with such a member is written {"object": {…}}`,
  );
}

/** The map itself is wrong; nothing was read. */
export function mapError(at: string, problem: string, hint?: string): Error {
  return usageError(`the map, at ${at}: ${problem}`, hint ?? "docs/operations/import.md has all rules");
}
