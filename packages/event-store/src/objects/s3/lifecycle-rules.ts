import { scan } from "./xml-scan.js";

/*
 * Lifecycle documents as text: rules are cut out of it and put into it, and what is between them, and every rule that is not
 * touched, stays the very text that the server gave. So nothing of what others wrote has to be understood to be kept.
 */

export interface LifecycleRule {
  readonly id: string;
  readonly enabled: boolean;
  /** What the keys that it is about begin with: empty for all of the bucket. */
  readonly prefix: string;
  /** More conditions than the prefix (tags, sizes). */
  readonly narrowed: boolean;
  /** What it does, and its further conditions: `Transition Days=30 StorageClass=GLACIER`. In the order of their text. */
  readonly parts: readonly string[];
  readonly raw: string;
}

const NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/";
const ROOT = "LifecycleConfiguration";
const END = `</${ROOT}>`;

interface Span {
  readonly rule: LifecycleRule;
  readonly start: number;
  readonly end: number;
}

/** Null when the document is not one that can be changed without understanding all of it. */
export function parseRules(xml: string): readonly LifecycleRule[] | null {
  return spansOf(xml)?.spans.map(({ rule }) => rule) ?? null;
}

/**
 * The document without the rules `removed` and with the rules `added`, which are XML. Null when that leaves none.
 * @param xml a document that `parseRules` can read; null: no rules yet
 */
export function changeRules(
  xml: string | null,
  removed: ReadonlySet<LifecycleRule["raw"]>,
  added: readonly string[],
): string | null {
  const spans = (xml === null ? null : spansOf(xml)?.spans) ?? [];
  const staying = spans.filter(({ rule }) => !removed.has(rule.raw));
  if (staying.length + added.length === 0) return null;
  if (xml === null || spans.length === 0) {
    return `<?xml version="1.0" encoding="UTF-8"?>\n<${ROOT} xmlns="${NAMESPACE}">${added.join("")}${END}`;
  }
  let text = "";
  let at = 0;
  for (const { rule, start, end } of spans) {
    text += xml.slice(at, removed.has(rule.raw) ? start : end);
    at = end;
  }
  const close = (spansOf(xml)?.end ?? 0) - END.length;
  return text + xml.slice(at, close) + added.join("") + xml.slice(close);
}

/** Whether two rules mean the same, however they are written. */
export function sameRule(a: LifecycleRule, b: LifecycleRule): boolean {
  return meaning(a) === meaning(b);
}

function meaning({ id, enabled, prefix, parts }: LifecycleRule): string {
  return JSON.stringify([id, enabled, prefix, parts]);
}

/** `end`: where the document's last tag ends. */
function spansOf(xml: string): { readonly spans: readonly Span[]; readonly end: number } | null {
  const spans: Span[] = [];
  let root = { name: "", start: 0, end: 0 };
  let last = -1;
  /** Leaves of the rule that is being read, by the child of `Rule` that they are in. */
  let leaves: { readonly path: string; readonly text: string }[] = [];
  let children: RuleChild[] = [];
  const whole = scan(xml, (path, text, start, end) => {
    const isLeaf = last < start;
    last = start;
    if (path.length === 1) root = { name: path[0] ?? "", start, end };
    if (path[1] !== "Rule") return;
    if (path.length === 2) {
      spans.push({ rule: ruleOf(children, xml.slice(start, end)), start, end });
      children = [];
    } else if (isLeaf) leaves.push({ path: path.slice(3).join("."), text });
    if (path.length === 3) {
      children.push({ name: path[2] ?? "", leaves });
      leaves = [];
    }
  });
  if (!whole || root.name !== ROOT) return null;
  // Names with a prefix would need a writer that knows name spaces.
  const plain =
    xml.startsWith(`<${ROOT}`, root.start) &&
    xml.slice(0, root.end).endsWith(END) &&
    spans.every(({ rule }) => rule.raw.startsWith("<Rule"));
  return plain || spans.length === 0 ? { spans, end: root.end } : null;
}

interface RuleChild {
  readonly name: string;
  readonly leaves: readonly { readonly path: string; readonly text: string }[];
}

function ruleOf(children: readonly RuleChild[], raw: string): LifecycleRule {
  let [id, status, prefix] = ["", "", ""];
  let narrowed = false;
  const parts: string[] = [];
  for (const { name, leaves } of children) {
    const text = leaves[0]?.text ?? "";
    if (name === "ID") id = text;
    else if (name === "Status") status = text.trim();
    else if (name === "Prefix") prefix = text;
    else if (name === "Filter") {
      const others = leaves.filter(({ path }) => path !== "" && !path.endsWith("Prefix"));
      prefix = leaves.find(({ path }) => path.endsWith("Prefix"))?.text ?? prefix;
      narrowed = others.length > 0;
      if (narrowed) parts.push(partOf(name, others));
    } else parts.push(partOf(name, leaves));
  }
  return { id, enabled: status === "Enabled", prefix, narrowed, parts: parts.sort(), raw };
}

function partOf(name: string, leaves: RuleChild["leaves"]): string {
  const facts = leaves.map(({ path, text }) => (path === "" ? text : `${path}=${text}`));
  return [name, ...facts.sort()].join(" ").trim();
}

/** A rule of our own as XML. */
export function ruleXml(rule: {
  readonly id: string;
  readonly prefix: string;
  readonly transition?: { readonly days: number; readonly storageClass: string };
  readonly expirationDays?: number;
}): string {
  const { id, prefix, transition, expirationDays } = rule;
  const element = (name: string, content: string): string => `<${name}>${content}</${name}>`;
  const days = (n: number): string => element("Days", String(n));
  return element(
    "Rule",
    element("ID", escapeText(id)) +
      element("Filter", element("Prefix", escapeText(prefix))) +
      element("Status", "Enabled") +
      (transition === undefined
        ? ""
        : element("Transition", days(transition.days) + element("StorageClass", escapeText(transition.storageClass)))) +
      (expirationDays === undefined ? "" : element("Expiration", days(expirationDays))),
  );
}

function escapeText(text: string): string {
  return text.replaceAll(/[&<>"\p{Cc}]/gu, (char) => `&#x${(char.codePointAt(0) ?? 0).toString(16).toUpperCase()};`);
}
