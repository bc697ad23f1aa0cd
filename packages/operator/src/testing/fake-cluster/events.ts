import type { KubeObject } from "../../kube/port.js";
import * as causes from "./causes.js";
import type { Cause } from "./failure.js";
import { deepEqual, objectAt, stringAt, type JsonObject } from "./json.js";
import { checkMicroTime } from "./micro-time.js";
import { isQualifiedName } from "./selectors.js";
import { builtIn, type PrinterColumn, type Resource } from "./resource.js";

/** Names of one field in `v1` and in `events.k8s.io/v1`: the two views of one stored event. It is stored as in v1. */
const RENAMED: readonly (readonly [core: string, events: string])[] = [
  ["involvedObject", "regarding"],
  ["message", "note"],
  ["source", "deprecatedSource"],
  ["firstTimestamp", "deprecatedFirstTimestamp"],
  ["lastTimestamp", "deprecatedLastTimestamp"],
  ["count", "deprecatedCount"],
  ["reportingComponent", "reportingController"],
];
const TO_CORE = new Map(RENAMED.map(([core, events]) => [events, core]));
const TO_EVENTS = new Map(RENAMED);

function renamed(object: JsonObject, names: ReadonlyMap<string, string>): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [names.get(key) ?? key, value]));
}

function checkTimes(object: JsonObject): void {
  checkMicroTime("Event", object, "eventTime");
  checkMicroTime("Event", object["series"], "lastObservedTime");
}

const DEPRECATED = ["firstTimestamp", "lastTimestamp", "count", "source"] as const;

const IMMUTABLE = [
  "involvedObject",
  "reason",
  "message",
  "source",
  "firstTimestamp",
  "lastTimestamp",
  "count",
  "type",
  "eventTime",
  "action",
  "related",
  "reportingComponent",
  "reportingInstance",
] as const;

/**
 * What Kubernetes asks of an event that comes through `events.k8s.io/v1` (its pkg/apis/core/validation/events.go); fields are named as in v1.
 * Stricter in one thing: a real server takes an event in another namespace than its object's.
 */
function eventCauses(event: KubeObject, old: KubeObject | undefined): Cause[] {
  const found = contentCauses(event);
  if (old === undefined) {
    found.push(...seriesCauses(event));
    if (!hasTime(event)) found.push(causes.required("eventTime"));
    if (event["type"] !== "Normal" && event["type"] !== "Warning") {
      found.push(causes.wrong("type", "", `has invalid value: ${stringAt(event, "type") ?? ""}`));
    }
    const unwanted = DEPRECATED.filter((key) => event[key] !== undefined && event[key] !== null);
    return [...found, ...unwanted.map((key) => causes.wrong(key, "", "needs to be unset"))];
  }
  if (!deepEqual(event["series"] ?? null, old["series"] ?? null)) found.push(...seriesCauses(event));
  const changed = IMMUTABLE.filter((key) => !deepEqual(event[key] ?? null, old[key] ?? null));
  return [...found, ...changed.map((key) => causes.wrong(key, event[key], "field is immutable"))];
}

/** Through v1 an event of the old kind, with times of whole seconds, needs next to nothing. */
function contentCauses(event: KubeObject): Cause[] {
  const found = namespaceCauses(event);
  if (!hasTime(event)) return found;
  const controller = stringAt(event, "reportingComponent") ?? "";
  if (controller === "") found.push(causes.required("reportingController"));
  else if (!isQualifiedName(controller)) {
    found.push(causes.wrong("reportingController", controller, "must be a qualified name"));
  }
  for (const key of ["reportingInstance", "action", "reason"]) found.push(...nameCauses(key, stringAt(event, key)));
  // Go counts bytes.
  if (Buffer.byteLength(stringAt(event, "message") ?? "") > 1024) {
    found.push(causes.wrong("message", "", "can have at most 1024 characters"));
  }
  return found;
}

function hasTime({ eventTime }: KubeObject): boolean {
  return eventTime !== undefined && eventTime !== null;
}

function nameCauses(field: string, value: string | undefined): Cause[] {
  if (value === undefined || value === "") return [causes.required(field)];
  return Buffer.byteLength(value) <= 128 ? [] : [causes.wrong(field, "", "can have at most 128 characters")];
}

function namespaceCauses(event: KubeObject): Cause[] {
  const { namespace = "" } = event.metadata;
  const about = stringAt(event["involvedObject"], "namespace") ?? "";
  const fits = about === "" ? isHome(namespace, hasTime(event)) : namespace === about;
  return fits ? [] : [causes.wrong("involvedObject.namespace", about, "does not match event.namespace")];
}

/** Where events of what has no namespace lie. */
function isHome(namespace: string, hasTime: boolean): boolean {
  return namespace === "default" || (hasTime && namespace === "kube-system");
}

function seriesCauses(event: KubeObject): Cause[] {
  if (event["series"] === undefined || event["series"] === null) return [];
  const series = objectAt(event, "series");
  const count = series["count"];
  const found: Cause[] = [];
  if (typeof count !== "number" || count < 2) found.push(causes.wrong("series.count", "", "should be at least 2"));
  if (series["lastObservedTime"] === undefined) found.push(causes.required("series.lastObservedTime"));
  return found;
}

const COLUMNS: readonly PrinterColumn[] = [
  { name: "Last Seen", type: "date", jsonPath: ".eventTime" },
  { name: "Type", type: "string", jsonPath: ".type" },
  { name: "Reason", type: "string", jsonPath: ".reason" },
  { name: "Object", type: "string", jsonPath: ".involvedObject.name" },
  { name: "Message", type: "string", jsonPath: ".message" },
];

export const coreEvents: Resource = builtIn("", "v1", "events", "Event", {
  shortNames: ["ev"],
  columns: COLUMNS,
  admit: (object) => {
    checkTimes(object);
    return { object: { ...object, apiVersion: "v1" }, unknownFields: [] };
  },
  validate: contentCauses,
});

/** As the server shows each stored event, so that the same event is not made anew for each request. */
const views = new WeakMap<KubeObject, KubeObject>();

export const events: Resource = builtIn("events.k8s.io", "v1", "events", "Event", {
  unconditionalUpdate: true,
  shortNames: ["ev"],
  columns: COLUMNS,
  admit: (object) => {
    checkTimes(object);
    return { object: { ...renamed(object, TO_CORE), apiVersion: "v1" }, unknownFields: [] };
  },
  validate: eventCauses,
  serve: (stored) => {
    const view = views.get(stored) ?? {
      ...(renamed(stored, TO_EVENTS) as KubeObject),
      apiVersion: "events.k8s.io/v1",
    };
    views.set(stored, view);
    return view;
  },
});
