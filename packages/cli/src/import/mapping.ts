import { InvalidEventError, JsonText } from "@rynxs/event-store";
import { CliError } from "../exit.js";
import type { MappedEvent, Mapper } from "./event.js";
import { toInteger } from "./event.js";
import { follow } from "./path.js";
import type { Rule } from "./rules.js";
import { checkMembers, compileRule, flagOf, mapError, pathOf, stringOf } from "./rules.js";
import type { TimeFormat } from "./timestamp.js";
import { readTime, TIME_FORMATS, TimeProblem, zoneMinutes } from "./timestamp.js";

const EMPTY = JsonText.parse("{}");
const FIELDS = ["type", "aggregate_id", "ts", "payload", "meta", "skip"];

/** A map's JSON text → what it does. @throws CliError INVALID_CONFIG with the place in the map */
export function compileMap(text: string): Mapper {
  const map = parseMap(text);
  if (!map.isObject) throw mapError("$", "must be an object");
  checkMembers(map, "$", FIELDS);
  const skips = compileSkips(map.get("skip"));
  const type = name("type", map);
  const aggregateId = name("aggregate_id", map);
  const ts = compileTime(map.get("ts"), "$.ts");
  const payload = object("payload", map);
  const meta = object("meta", map);
  return (line) => {
    if (skips.some((skip) => skip(line))) return null;
    return { type: type(line), aggregateId: aggregateId(line), ts: ts(line), payload: payload(line), meta: meta(line) };
  };
}

function parseMap(text: string): JsonText {
  try {
    return JsonText.parse(text);
  } catch (error) {
    if (!(error instanceof InvalidEventError)) throw error;
    throw new CliError("INVALID_CONFIG", `the map is not JSON: ${error.message}`, { hint: error.hint, cause: error });
  }
}

function name(field: string, map: JsonText): (line: JsonText) => string {
  const given = map.get(field);
  if (given === undefined) throw mapError(`$.${field}`, "is missing: every event has one");
  const rule = compileRule(given, `$.${field}`);
  return (line) => {
    const text = stringOf(rule(line));
    if (text !== undefined && text !== "") return text;
    throw new InvalidEventError(
      source(given),
      `does not give a ${field}: a non-empty string`,
      'make one of a number with {"template": "{$.path}"}',
    );
  };
}

function object(field: string, map: JsonText): (line: JsonText) => JsonText {
  const given = map.get(field);
  const rule: Rule = given === undefined ? () => EMPTY : compileRule(given, `$.${field}`);
  return (line) => {
    const value = rule(line) ?? EMPTY;
    if (value.isObject) return value;
    throw new InvalidEventError(
      given === undefined ? "$" : source(given),
      `does not give a ${field}: an object`,
      'put it into one: {"value": "$.path"}',
    );
  };
}

/** For messages: the path that a rule takes, or the rule. */
function source(rule: JsonText): string {
  return stringOf(rule) ?? stringOf(rule.get("path")) ?? rule.canonical.slice(0, 80);
}

function compileTime(rule: JsonText | undefined, at: string): (line: JsonText) => MappedEvent["ts"] {
  if (rule === undefined) return () => undefined;
  const take = compileRule(withoutTimeOptions(rule), at);
  const format = timeFormat(rule, at);
  const zone = stringOf(rule.get("zone"));
  if (rule.get("zone") !== undefined && zoneMinutes(zone) === null)
    throw mapError(`${at}.zone`, 'must be "Z" or as "+02:00"');
  const truncate = flagOf(rule, "truncate", at);
  return (line) => {
    const value = take(line);
    if (value === undefined) return undefined;
    const ts = readTime(stringOf(value) ?? value.canonical, { format, zone, truncate });
    if (!(ts instanceof TimeProblem)) return toInteger(ts);
    throw new InvalidEventError(source(rule), `${value.canonical.slice(0, 60)} ${ts.problem}`, ts.hint);
  };
}

const TIME_OPTIONS = ["format", "zone", "truncate"];

function withoutTimeOptions(rule: JsonText): JsonText {
  if (rule.get("path") === undefined) return rule;
  const kept = rule.keys().filter((key) => !TIME_OPTIONS.includes(key));
  return JsonText.parse(`{${kept.map((key) => `${JSON.stringify(key)}:${String(rule.get(key))}`).join(",")}}`);
}

function timeFormat(rule: JsonText, at: string): TimeFormat {
  const given = rule.get("path") === undefined ? undefined : rule.get("format");
  if (given === undefined) return "verbatim";
  const format = TIME_FORMATS.find((known) => known === stringOf(given));
  if (format === undefined)
    throw mapError(`${at}.format`, `${given.canonical.slice(0, 40)} is not known`, `valid: ${TIME_FORMATS.join(", ")}`);
  return format;
}

type Skip = (line: JsonText) => boolean;

function compileSkips(rules: JsonText | undefined): readonly Skip[] {
  if (rules === undefined) return [];
  return items(rules, "$.skip").map((rule, i) => compileSkip(rule, `$.skip[${String(i)}]`));
}

/** `{"path","equals"}`, `{"path","in":[…]}` or `{"path","exists":true|false}`; values are compared as JSON, 1 and 1.0 being two. */
function compileSkip(rule: JsonText, at: string): Skip {
  if (!rule.isObject) throw mapError(at, "must be an object");
  checkMembers(rule, at, ["path", "equals", "in", "exists"]);
  const path = pathOf(stringOf(rule.get("path")), `${at}.path`);
  const [test, more] = rule.keys().filter((key) => key !== "path");
  if (test === undefined || more !== undefined) throw mapError(at, "must say one of equals, in, exists");
  if (test === "exists") {
    const wanted = flagOf(rule, "exists", at);
    return (line) => (follow(path, line) !== undefined) === wanted;
  }
  const given = rule.get(test) ?? rule;
  const values = new Set((test === "in" ? items(given, `${at}.in`) : [given]).map(({ canonical }) => canonical));
  return (line) => values.has(follow(path, line)?.canonical ?? "");
}

function items(list: JsonText, at: string): JsonText[] {
  if (!list.canonical.startsWith("[")) throw mapError(at, "must be an array");
  const found: JsonText[] = [];
  for (let item = list.get(0); item !== undefined; item = list.get(found.length)) found.push(item);
  return found;
}
