import assert from "node:assert/strict";
import { objectAt } from "../fake-cluster/json.js";
import { apiServerCase, expect, metadataOf, refused, versionOf, type ApiServerCase } from "./case.js";

const HASH = "ab".repeat(32);
const CONDITION = {
  type: "Recorded",
  status: "True",
  lastTransitionTime: "2026-01-02T03:04:05Z",
  reason: "Appended",
  message: "",
};

export const patchCases: readonly ApiServerCase[] = [
  apiServerCase("a merge patch merges objects, replaces lists and removes what is null", async (bench) => {
    await bench.create("a", { spec: { custom: { keep: 1, drop: 2, list: [1, 2] } }, labels: { a: "1", b: "2" } });
    const patched = await bench.merged(bench.agents("a"), {
      metadata: { labels: { a: null, c: "3" } },
      spec: { custom: { drop: null, list: [3] } },
    });
    assert.deepEqual(objectAt(patched, "spec")["custom"], { keep: 1, list: [3] });
    assert.deepEqual(metadataOf(patched)["labels"], { b: "2", c: "3" });
    assert.equal(metadataOf(patched)["generation"], 2);
  }),
  apiServerCase("a resourceVersion in a merge patch is a condition", async (bench) => {
    const first = await bench.create("a");
    const patch = (role: string): object => ({ metadata: { resourceVersion: versionOf(first) }, spec: { role } });
    const second = await bench.merged(bench.agents("a"), patch("second"));
    refused(await bench.merge(bench.agents("a"), patch("third")), 409, "Conflict");
    assert.deepEqual(await bench.get(bench.agents("a")), second);
  }),
  apiServerCase("a JSON patch does its steps or none", async (bench) => {
    await bench.create("a", { spec: { role: "one", manages: ["x"] } });
    const contentType = "application/json-patch+json";
    const patch = (body: unknown): ReturnType<typeof bench.call> =>
      bench.call({ method: "PATCH", path: bench.agents("a"), body, contentType });
    const patched = expect(
      await patch([
        { op: "test", path: "/spec/role", value: "one" },
        { op: "replace", path: "/spec/role", value: "two" },
        { op: "add", path: "/spec/manages/-", value: "y" },
        { op: "remove", path: "/spec/manages/0" },
      ]),
      200,
    );
    assert.equal(objectAt(patched, "spec")["role"], "two");
    assert.deepEqual(objectAt(patched, "spec")["manages"], ["y"]);
    const failing = await patch([
      { op: "replace", path: "/spec/role", value: "three" },
      { op: "test", path: "/spec/role", value: "other" },
    ]);
    assert.equal(failing.status, 422);
    assert.deepEqual(await bench.get(bench.agents("a")), patched);
  }),
  apiServerCase("custom resources take no strategic merge patch", async (bench) => {
    await bench.create("a");
    const contentType = "application/strategic-merge-patch+json";
    const answer = await bench.call({ method: "PATCH", path: bench.agents("a"), body: { spec: {} }, contentType });
    refused(answer, 415, "UnsupportedMediaType");
  }),
  apiServerCase("the main resource leaves the status alone", async (bench) => {
    const created = await bench.create("a", { status: { recordedSeq: 1 } });
    assert.equal(objectAt(created, "status")["recordedSeq"], undefined);
    const withStatus = await bench.merged(bench.agents("a", "status"), { status: { recordedSeq: 7 } });
    const updated = await bench.put(bench.agents("a"), {
      ...withStatus,
      spec: { role: "x" },
      status: { recordedSeq: 8 },
    });
    assert.deepEqual(updated["status"], { recordedSeq: 7 });
    const patched = await bench.merged(bench.agents("a"), { status: { recordedSeq: 9 } });
    assert.deepEqual(patched["status"], { recordedSeq: 7 });
    assert.equal(versionOf(patched), versionOf(updated));
  }),
  apiServerCase("the status subresource changes the status and nothing else", async (bench) => {
    const first = await bench.create("a");
    const status = { observedGeneration: 1, recordedSeq: 12, recordedHash: HASH, conditions: [CONDITION] };
    const patched = await bench.merged(bench.agents("a", "status"), {
      metadata: { resourceVersion: versionOf(first), labels: { not: "here" } },
      spec: { role: "not here" },
      status,
    });
    assert.deepEqual(patched["status"], status);
    assert.deepEqual(patched["spec"], first["spec"]);
    assert.equal(metadataOf(patched)["labels"], undefined);
    assert.equal(metadataOf(patched)["generation"], 1);
    assert.notEqual(versionOf(patched), versionOf(first));
    assert.deepEqual(await bench.get(bench.agents("a", "status")), patched);
  }),
  apiServerCase("a status is not written over a newer version", async (bench) => {
    const first = await bench.create("a");
    await bench.merged(bench.agents("a"), { spec: { role: "newer" } });
    const metadata = { resourceVersion: versionOf(first) };
    const answer = await bench.merge(bench.agents("a", "status"), { metadata, status: { recordedSeq: 1 } });
    refused(answer, 409, "Conflict");
    const put = { method: "PUT", path: bench.agents("a", "status") } as const;
    refused(await bench.call({ ...put, body: { ...first, status: { recordedSeq: 1 } } }), 409, "Conflict");
  }),
  apiServerCase("a status that is the same again changes no version", async (bench) => {
    await bench.create("a");
    const status = { recordedSeq: 12, conditions: [CONDITION] };
    const first = await bench.merged(bench.agents("a", "status"), { status });
    assert.equal(versionOf(await bench.merged(bench.agents("a", "status"), { status })), versionOf(first));
  }),
];
