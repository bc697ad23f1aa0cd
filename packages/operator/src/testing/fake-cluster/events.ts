import type { KubeObject } from "../../kube/port.js";
import * as causes from "./causes.js";
import type { Cause } from "./failure.js";
import { deepEqual, objectAt, stringAt, type JsonObject } from "./json.js";
import { checkMicroTime } from "./micro-time.js";
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

/** In the words of `events.k8s.io`, after kubernetes/pkg/apis/core/validation/events.go. */
function eventCauses(event: KubeObject, old: KubeObject | undefined): Cause[] {
  if (old !== undefined) {
    return [
      ...IMMUTABLE.filter((key) => !deepEqual(event[key] ?? null, old[key] ?? null)).map((key) =>
        causes.wrong(TO_EVENTS.get(key) ?? key, event[key], "field is immutable"),
      ),
      ...seriesCauses(event),
    ];
  }
  const found = [...namespaceCauses(event), ...seriesCauses(event)];
  if (event["eventTime"] === undefined || event["eventTime"] === null) found.push(causes.required("eventTime"));
  if (event["type"] !== "Normal" && event["type"] !== "Warning") {
    found.push(causes.wrong("type", event["type"], "has invalid value: must be Normal or Warning"));
  }
  found.push(...nameCauses("reportingController", stringAt(event, "reportingComponent"), Infinity));
  for (const key of ["reportingInstance", "action", "reason"])
    found.push(...nameCauses(key, stringAt(event, key), 128));
  const note = stringAt(event, "message") ?? "";
  if (Buffer.byteLength(note) > 1024) found.push(causes.wrong("note", note, "can have at most 1024 characters"));
  return found;
}

function nameCauses(field: string, value: string | undefined, limit: number): Cause[] {
  if (value === undefined || value === "") return [causes.required(field)];
  return value.length <= limit ? [] : [causes.wrong(field, value, `can have at most ${String(limit)} characters`)];
}

function namespaceCauses({ metadata, ...event }: KubeObject): Cause[] {
  const about = stringAt(event["involvedObject"], "namespace") ?? "";
  const fits = about === "" ? metadata.namespace === "default" : metadata.namespace === about;
  return fits ? [] : [causes.wrong("involvedObject.namespace", about, "does not match event.namespace")];
}

function seriesCauses(event: KubeObject): Cause[] {
  if (event["series"] === undefined || event["series"] === null) return [];
  const series = objectAt(event, "series");
  const count = series["count"];
  const found: Cause[] = [];
  if (typeof count !== "number" || count < 2)
    found.push(causes.wrong("series.count", count, "should be greater than 1"));
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
  // The old way of recording events, with times of whole seconds, asks for next to nothing.
  validate: (event, old) => (old === undefined ? namespaceCauses(event) : []),
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
