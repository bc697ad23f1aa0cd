import assert from "node:assert/strict";
import { isObject } from "../fake-cluster/json.js";
import { apiServerCase, expect, metadataOf, nameOf, refused, versionOf, type ApiServerCase } from "./case.js";

export const objectCases: readonly ApiServerCase[] = [
  apiServerCase("a created object has uid, version, time and generation", async (bench) => {
    const created = await bench.create("a", { spec: { role: "director" }, labels: { app: "x" } });
    const { uid, creationTimestamp, generation, namespace, labels } = metadataOf(created);
    assert.match(String(uid), /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/);
    assert.match(String(creationTimestamp), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.deepEqual(
      { generation, namespace, labels },
      { generation: 1, namespace: bench.namespace, labels: { app: "x" } },
    );
    assert.deepEqual(await bench.get(bench.agents("a")), created);
  }),
  apiServerCase("what exists is not created again", async (bench) => {
    const created = await bench.create("a");
    const again = await bench.call({ method: "POST", path: bench.agents(), body: bench.agent("a") });
    refused(again, 409, "AlreadyExists");
    assert.equal(versionOf(await bench.get(bench.agents("a"))), versionOf(created));
  }),
  apiServerCase("a name is generated", async (bench) => {
    const body = { ...bench.agent(""), metadata: { generateName: "worker-" } };
    const created = expect(await bench.call({ method: "POST", path: bench.agents(), body }), 201);
    assert.match(nameOf(created), /^worker-[a-z0-9]{5}$/);
  }),
  apiServerCase("a namespace has to be there", async (bench) => {
    const path = bench.agents().replace(bench.namespace, `${bench.namespace}-missing`);
    refused(await bench.call({ method: "POST", path, body: bench.agent("a") }), 404, "NotFound");
    const list = expect(await bench.call({ method: "GET", path }), 200);
    assert.deepEqual(list["items"], []);
  }),
  apiServerCase("what is not there is not found", async (bench) => {
    const missing = refused(await bench.call({ method: "GET", path: bench.agents("a") }), 404, "NotFound");
    assert.deepEqual(missing["details"], { name: "a", group: bench.group, kind: "agents" });
    refused(await bench.call({ method: "DELETE", path: bench.agents("a") }), 404, "NotFound");
    refused(await bench.merge(bench.agents("a"), { spec: {} }), 404, "NotFound");
    const unknown = bench.agents().replace(/agents$/, "unknowns");
    assert.equal((await bench.call({ method: "GET", path: unknown })).status, 404);
  }),
  apiServerCase("an update of an old version is a conflict", async (bench) => {
    const first = await bench.create("a");
    const second = await bench.put(bench.agents("a"), { ...first, spec: { role: "second" } });
    const stale = { ...first, spec: { role: "stale" } };
    refused(await bench.call({ method: "PUT", path: bench.agents("a"), body: stale }), 409, "Conflict");
    assert.deepEqual(await bench.get(bench.agents("a")), second);
  }),
  apiServerCase("an update of a custom resource names its version", async (bench) => {
    await bench.create("a");
    const answer = await bench.call({ method: "PUT", path: bench.agents("a"), body: bench.agent("a") });
    refused(answer, 422, "Invalid");
  }),
  apiServerCase("an update of what was deleted and created anew is a conflict", async (bench) => {
    const first = await bench.create("a");
    await bench.remove(bench.agents("a"));
    const second = await bench.create("a");
    const body = { ...first, metadata: { ...metadataOf(first), resourceVersion: versionOf(second) } };
    refused(await bench.call({ method: "PUT", path: bench.agents("a"), body }), 409, "Conflict");
  }),
  apiServerCase("generation counts changes of the spec, and only those", async (bench) => {
    const first = await bench.create("a");
    const labelled = await bench.put(bench.agents("a"), {
      ...first,
      metadata: { ...metadataOf(first), labels: { a: "b" }, annotations: { c: "d" } },
    });
    assert.equal(metadataOf(labelled)["generation"], 1);
    assert.notEqual(versionOf(labelled), versionOf(first));
    const changed = await bench.put(bench.agents("a"), { ...labelled, spec: { role: "changed" } });
    assert.equal(metadataOf(changed)["generation"], 2);
    assert.deepEqual(metadataOf(changed)["labels"], { a: "b" });
  }),
  apiServerCase("an update that changes nothing changes no version", async (bench) => {
    const first = await bench.create("a", { labels: { a: "b" } });
    assert.equal(versionOf(await bench.put(bench.agents("a"), first)), versionOf(first));
    assert.equal(versionOf(await bench.merged(bench.agents("a"), { spec: { role: "worker" } })), versionOf(first));
  }),
  apiServerCase("what the server says of an object cannot be changed", async (bench) => {
    const first = await bench.create("a");
    const forged = { ...metadataOf(first), creationTimestamp: "2001-01-01T00:00:00Z", generation: 77 };
    const { creationTimestamp, generation } = metadataOf(
      await bench.put(bench.agents("a"), { ...first, metadata: forged }),
    );
    assert.deepEqual(
      { creationTimestamp, generation },
      {
        creationTimestamp: metadataOf(first)["creationTimestamp"],
        generation: 1,
      },
    );
  }),
  apiServerCase("body and address name the same object", async (bench) => {
    const first = await bench.create("a");
    const renamed = { ...first, metadata: { ...metadataOf(first), name: "b" } };
    refused(await bench.call({ method: "PUT", path: bench.agents("a"), body: renamed }), 400, "BadRequest");
    const elsewhere = { ...bench.agent("c"), metadata: { name: "c", namespace: "elsewhere" } };
    refused(await bench.call({ method: "POST", path: bench.agents(), body: elsewhere }), 400, "BadRequest");
    const kind = { ...bench.agent("c"), kind: "Spy" };
    refused(await bench.call({ method: "POST", path: bench.agents(), body: kind }), 400, "BadRequest");
  }),
  apiServerCase("names and labels have rules", async (bench) => {
    const post = (body: unknown): ReturnType<typeof bench.call> =>
      bench.call({ method: "POST", path: bench.agents(), body });
    refused(await post(bench.agent("Upper")), 422, "Invalid");
    refused(await post(bench.agent("a", { labels: { a: "with space" } })), 422, "Invalid");
    refused(await post(bench.agent("a", { labels: { "a b": "c" } })), 422, "Invalid");
    refused(await post({ ...bench.agent("a"), metadata: {} }), 422, "Invalid");
  }),
  apiServerCase("what is no JSON is refused", async (bench) => {
    const path = bench.agents();
    refused(await bench.call({ method: "POST", path, body: "{" }), 400, "BadRequest");
    const text = await bench.call({ method: "POST", path, body: "a: b", contentType: "text/plain" });
    refused(text, 415, "UnsupportedMediaType");
  }),
  apiServerCase("a dry run stores nothing", async (bench) => {
    const query = { dryRun: "All" };
    const answer = await bench.call({ method: "POST", path: bench.agents(), query, body: bench.agent("a") });
    assert.equal(nameOf(expect(answer, 201)), "a");
    refused(await bench.call({ method: "GET", path: bench.agents("a") }), 404, "NotFound");
  }),
  apiServerCase("what is deleted is gone", async (bench) => {
    const created = await bench.create("a");
    const { kind, status, details } = await bench.remove(bench.agents("a"));
    assert.deepEqual({ kind, status }, { kind: "Status", status: "Success" });
    assert.ok(isObject(details));
    assert.equal(details["uid"], metadataOf(created)["uid"]);
    refused(await bench.call({ method: "GET", path: bench.agents("a") }), 404, "NotFound");
  }),
  apiServerCase("a deletion may depend on the uid", async (bench) => {
    const created = await bench.create("a");
    const wrong = {
      apiVersion: "v1",
      kind: "DeleteOptions",
      preconditions: { uid: "00000000-0000-4000-8000-000000000000" },
    };
    refused(await bench.call({ method: "DELETE", path: bench.agents("a"), body: wrong }), 409, "Conflict");
    await bench.remove(bench.agents("a"), { ...wrong, preconditions: { uid: metadataOf(created)["uid"] } });
  }),
  apiServerCase("a finalizer holds an object until it is taken away", async (bench) => {
    const body = { ...bench.agent("a"), metadata: { name: "a", finalizers: ["rynxs.test/hold"] } };
    expect(await bench.call({ method: "POST", path: bench.agents(), body }), 201);
    const marked = metadataOf(await bench.remove(bench.agents("a")));
    assert.match(String(marked["deletionTimestamp"]), /^\d{4}-/);
    assert.equal(marked["generation"], 2);
    const again = metadataOf(await bench.remove(bench.agents("a")));
    assert.equal(again["deletionTimestamp"], marked["deletionTimestamp"]);
    await bench.merged(bench.agents("a"), { metadata: { finalizers: null } });
    refused(await bench.call({ method: "GET", path: bench.agents("a") }), 404, "NotFound");
  }),
];
