import type { KubeObject } from "../../kube/port.js";
import { badRequest } from "./failure.js";

export type Selects = (object: KubeObject) => boolean;

const KEY = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/** Undefined for the empty selector, which selects everything. @throws ApiFailure 400 */
export function labelSelector(text: string | null): Selects | undefined {
  if (text === null || text.trim() === "") return undefined;
  const requirements = splitOutside(text).map(requirement);
  return ({ metadata }) => requirements.every((holds) => holds(new Map(Object.entries(metadata.labels ?? {}))));
}

/** At the commas that are not within parentheses. */
function splitOutside(text: string): string[] {
  return text.split(/,(?![^(]*\))/).map((part) => part.trim());
}

function requirement(text: string): (labels: ReadonlyMap<string, string>) => boolean {
  const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(text);
  if (set !== null) {
    const key = label(set[1] ?? "", text);
    const values = new Set((set[3] ?? "").split(",").map((value) => labelValue(value.trim(), text)));
    if (set[2] === "in") return (labels) => labels.has(key) && values.has(labels.get(key) ?? "");
    return (labels) => !labels.has(key) || !values.has(labels.get(key) ?? "");
  }
  const equality = /^([^=!\s]+)\s*(==|=|!=)\s*([^=!\s]*)$/.exec(text);
  if (equality !== null) {
    const key = label(equality[1] ?? "", text);
    const value = labelValue(equality[3] ?? "", text);
    // As with notin: what lacks the label is selected by !=.
    return equality[2] === "!=" ? (labels) => labels.get(key) !== value : (labels) => labels.get(key) === value;
  }
  if (text.startsWith("!")) {
    const key = label(text.slice(1).trim(), text);
    return (labels) => !labels.has(key);
  }
  const key = label(text, text);
  return (labels) => labels.has(key);
}

function label(key: string, text: string): string {
  if (!KEY.test(key)) throw badRequest(`unable to parse requirement: <nil>: Invalid value: "${text}"`);
  return key;
}

function labelValue(value: string, text: string): string {
  if (!VALUE.test(value)) throw badRequest(`unable to parse requirement: values[0]: Invalid value: "${text}"`);
  return value;
}

/** `metadata.name` and `metadata.namespace`, by = , == and !=. @throws ApiFailure 400 for any other field */
export function fieldSelector(text: string | null): Selects | undefined {
  if (text === null || text.trim() === "") return undefined;
  const terms = text.split(",").map((term) => {
    const match = /^(metadata\.name|metadata\.namespace)(==|=|!=)(.*)$/.exec(term.trim());
    if (match === null) throw badRequest(`Unable to find "${term}" that matches: field label not supported: ${term}`);
    const [, field, operator, value] = match;
    return ({ metadata }: KubeObject): boolean => {
      const is = (field === "metadata.name" ? metadata.name : metadata.namespace) ?? "";
      return (is === value) === (operator !== "!=");
    };
  });
  return (object) => terms.every((term) => term(object));
}

/** Both at once; undefined when neither restricts anything. */
export function bothOf(a: Selects | undefined, b: Selects | undefined): Selects | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return (object) => a(object) && b(object);
}

/** @returns what is wrong with labels that somebody wants to set, as a real server would say it; null if nothing is */
export function labelProblem(key: string, value: string): string | null {
  if (!KEY.test(key)) return `label key "${key}": name part must consist of alphanumeric characters, '-', '_' or '.'`;
  if (VALUE.test(value)) return null;
  return `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.': "${value}"`;
}

/** `example.com/part`, or only the part. */
export function isQualifiedName(name: string): boolean {
  return KEY.test(name);
}
