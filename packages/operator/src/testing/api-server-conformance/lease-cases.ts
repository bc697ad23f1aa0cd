import assert from "node:assert/strict";
import type { JsonObject } from "../fake-cluster/json.js";
import { objectAt } from "../fake-cluster/json.js";
import { apiServerCase, expect, metadataOf, refused, type ApiServerCase, type Bench } from "./case.js";

const TIME = "2026-01-02T03:04:05.678901Z";

function path(bench: Bench, name?: string): string {
  const all = `/apis/coordination.k8s.io/v1/namespaces/${bench.namespace}/leases`;
  return name === undefined ? all : `${all}/${name}`;
}

function lease(spec: JsonObject = {}): JsonObject {
  return {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name: "leader" },
    spec: {
      holderIdentity: "a",
      leaseDurationSeconds: 30,
      leaseTransitions: 0,
      acquireTime: TIME,
      renewTime: TIME,
      ...spec,
    },
  };
}

async function created(bench: Bench): Promise<JsonObject> {
  return expect(await bench.call({ method: "POST", path: path(bench), body: lease() }), 201);
}

export const leaseCases: readonly ApiServerCase[] = [
  apiServerCase("a lease keeps its times to the microsecond", async (bench) => {
    const { spec } = await created(bench);
    assert.deepEqual(spec, lease()["spec"]);
    assert.deepEqual((await bench.get(path(bench, "leader")))["spec"], spec);
  }),
  apiServerCase("of two who create a lease one is told so", async (bench) => {
    const post = (): ReturnType<typeof bench.call> => bench.call({ method: "POST", path: path(bench), body: lease() });
    const answers = await Promise.all([post(), post(), post()]);
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409, 409]);
  }),
  apiServerCase("of two who renew the same version one succeeds", async (bench) => {
    const first = await created(bench);
    const renew = (holderIdentity: string): ReturnType<typeof bench.call> =>
      bench.call({
        method: "PUT",
        path: path(bench, "leader"),
        body: { ...first, spec: { ...objectAt(first, "spec"), holderIdentity } },
      });
    const answers = await Promise.all(["a2", "b", "c"].map(renew));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409, 409]);
    const winner = answers.find(({ status }) => status === 200);
    assert.deepEqual(await bench.get(path(bench, "leader")), winner?.body);
    for (const loser of answers.filter(({ status }) => status === 409)) refused(loser, 409, "Conflict");
  }),
  apiServerCase("times without exactly six digits are refused", async (bench) => {
    for (const renewTime of [
      "2026-01-02T03:04:05.678Z",
      "2026-01-02T03:04:05Z",
      "2026-01-02T03:04:05.6789012Z",
      "now",
    ]) {
      const answer = await bench.call({ method: "POST", path: path(bench), body: lease({ renewTime }) });
      refused(answer, 400, "BadRequest");
    }
    const first = await created(bench);
    const body = { ...first, spec: { ...objectAt(first, "spec"), acquireTime: "2026-01-02T03:04:05.678Z" } };
    refused(await bench.call({ method: "PUT", path: path(bench, "leader"), body }), 400, "BadRequest");
  }),
  apiServerCase("a lease lasts longer than nothing", async (bench) => {
    for (const spec of [{ leaseDurationSeconds: 0 }, { leaseTransitions: -1 }]) {
      refused(await bench.call({ method: "POST", path: path(bench), body: lease(spec) }), 422, "Invalid");
    }
  }),
  apiServerCase("a lease is released by an empty holder", async (bench) => {
    const first = await created(bench);
    const spec = { ...objectAt(first, "spec"), holderIdentity: "", leaseDurationSeconds: 1 };
    const released = await bench.put(path(bench, "leader"), { ...first, spec });
    // Servers may drop what is empty.
    assert.equal(objectAt(released, "spec")["holderIdentity"] ?? "", "");
  }),
  apiServerCase("a lease that was deleted cannot be renewed", async (bench) => {
    const first = await created(bench);
    await bench.remove(path(bench, "leader"));
    const renewed = await bench.call({ method: "PUT", path: path(bench, "leader"), body: first });
    refused(renewed, 409, "Conflict");
    refused(await bench.call({ method: "GET", path: path(bench, "leader") }), 404, "NotFound");
    const anew = await created(bench);
    assert.notEqual(metadataOf(anew)["uid"], metadataOf(first)["uid"]);
  }),
];
