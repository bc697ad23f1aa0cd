import assert from "node:assert/strict";
import type { JsonObject } from "../fake-cluster/json.js";
import { objectAt } from "../fake-cluster/json.js";
import { apiServerCase, causesOf, expect, refused, type ApiServerCase, type Bench } from "./case.js";

const TIME = "2026-01-02T03:04:05.678901Z";

function path(namespace: string, name?: string): string {
  const all = `/apis/events.k8s.io/v1/namespaces/${namespace}/events`;
  return name === undefined ? all : `${all}/${name}`;
}

function event(bench: Bench, change: JsonObject = {}): JsonObject {
  return {
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: { name: "a.1", namespace: bench.namespace },
    eventTime: TIME,
    type: "Normal",
    reason: "Recorded",
    action: "Record",
    note: "recorded as 12",
    reportingController: "rynxs.io/operator",
    reportingInstance: "rynxs-0",
    regarding: { apiVersion: `${bench.group}/v1alpha1`, kind: "Agent", namespace: bench.namespace, name: "a" },
    ...change,
  };
}

function post(bench: Bench, change: JsonObject = {}): ReturnType<Bench["call"]> {
  return bench.call({ method: "POST", path: path(bench.namespace), body: event(bench, change) });
}

const WRONG: readonly (readonly [change: JsonObject, field: string])[] = [
  [{ type: "Severe" }, "type"],
  [{ reason: "" }, "reason"],
  [{ reason: "r".repeat(129) }, "reason"],
  [{ action: "" }, "action"],
  [{ action: "a".repeat(129) }, "action"],
  [{ reportingController: "" }, "reportingController"],
  [{ reportingInstance: "" }, "reportingInstance"],
  [{ reportingInstance: "i".repeat(129) }, "reportingInstance"],
  [{ note: "n".repeat(1025) }, "message"],
  [{ note: "é".repeat(513) }, "message"],
  [{ eventTime: null }, "eventTime"],
  [{ reportingController: "not a name" }, "reportingController"],
  [{ deprecatedCount: 2 }, "count"],
];

export const eventCases: readonly ApiServerCase[] = [
  apiServerCase("an event is seen in both versions", async (bench) => {
    const created = expect(await post(bench), 201);
    assert.equal(created["eventTime"], TIME);
    assert.equal(objectAt(created, "regarding")["name"], "a");
    assert.deepEqual(await bench.get(path(bench.namespace, "a.1")), created);
    const core = await bench.get(`/api/v1/namespaces/${bench.namespace}/events/a.1`);
    assert.deepEqual([core["apiVersion"], core["message"]], ["v1", "recorded as 12"]);
    assert.deepEqual(core["involvedObject"], created["regarding"]);
    assert.equal(core["reportingComponent"], "rynxs.io/operator");
  }),
  apiServerCase("the longest fields of an event", async (bench) => {
    const long = { reason: "r".repeat(128), action: "a".repeat(128), note: "é".repeat(512) };
    expect(await post(bench, long), 201);
  }),
  ...WRONG.map(([change, field]) =>
    apiServerCase(`refused is an event with ${JSON.stringify(change).slice(0, 40)}`, async (bench) => {
      const causes = causesOf(refused(await post(bench, change), 422, "Invalid"));
      assert.ok(
        causes.some((cause) => cause.startsWith(`${field}: `)),
        `${field} is among ${causes.join()}`,
      );
    }),
  ),
  apiServerCase("an event's time has exactly six digits", async (bench) => {
    for (const eventTime of ["2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05Z"]) {
      refused(await post(bench, { eventTime }), 400, "BadRequest");
    }
  }),
  apiServerCase("events of what has no namespace lie in default", async (bench) => {
    const regarding = { apiVersion: "v1", kind: "Namespace", name: bench.namespace };
    refused(await post(bench, { regarding }), 422, "Invalid");
    const metadata = { name: `${bench.namespace}.1`, namespace: "default" };
    const body = event(bench, { regarding, metadata });
    expect(await bench.call({ method: "POST", path: path("default"), body }), 201);
    await bench.remove(path("default", `${bench.namespace}.1`));
  }),
  apiServerCase("of an event only the series changes", async (bench) => {
    expect(await post(bench), 201);
    const series = { count: 2, lastObservedTime: "2026-01-02T03:04:06.000001Z" };
    const patched = await bench.merged(path(bench.namespace, "a.1"), { series });
    assert.deepEqual(patched["series"], series);
    refused(await bench.merge(path(bench.namespace, "a.1"), { note: "something else" }), 422, "Invalid");
    refused(await bench.merge(path(bench.namespace, "a.1"), { series: { count: 1 } }), 422, "Invalid");
  }),
];
