import assert from "node:assert/strict";
import { objectAt, stringAt } from "../fake-cluster/json.js";
import { apiServerCase, expect, metadataOf, nameOf, versionOf, type ApiServerCase, type Watched } from "./case.js";

/** Events up to one of this name. Bookmarks are passed over. */
async function until(watch: Watched, last: string): Promise<string[]> {
  const seen: string[] = [];
  while (seen.at(-1) !== last && seen.at(-1) !== "END") seen.push(await watch.next());
  return seen;
}

export const watchCases: readonly ApiServerCase[] = [
  apiServerCase("a watch from a list misses nothing and repeats nothing", async (bench) => {
    const first = await bench.create("a");
    const list = await bench.get(bench.agents());
    await bench.put(bench.agents("a"), { ...first, spec: { role: "b" } });
    await bench.create("b");
    const watch = await bench.watch({ resourceVersion: versionOf(list) });
    await bench.remove(bench.agents("a"));
    await bench.create("c");
    assert.deepEqual(await until(watch, "ADDED c"), ["MODIFIED a", "ADDED b", "DELETED a", "ADDED c"]);
  }),
  apiServerCase("a watch from an object begins after it", async (bench) => {
    const first = await bench.create("a");
    const second = await bench.create("b");
    const watch = await bench.watch({ resourceVersion: versionOf(first) });
    await bench.create("c");
    assert.deepEqual(await until(watch, "ADDED c"), ["ADDED b", "ADDED c"]);
    const later = await bench.watch({ resourceVersion: versionOf(second) });
    assert.deepEqual(await later.take(1), ["ADDED c"]);
  }),
  apiServerCase("a watch without a version begins with what is there", async (bench) => {
    for (const name of ["a", "b"]) await bench.create(name);
    for (const query of [{}, { resourceVersion: "0" }]) {
      const watch = await bench.watch(query);
      assert.deepEqual((await watch.take(2)).sort(), ["ADDED a", "ADDED b"]);
      const name = `c-${String(Object.keys(query).length)}`;
      await bench.create(name);
      assert.deepEqual(await watch.take(1), [`ADDED ${name}`]);
      await bench.remove(bench.agents(name));
    }
  }),
  apiServerCase("an event carries the object as it is", async (bench) => {
    const list = await bench.get(bench.agents());
    const watch = await bench.watch({ resourceVersion: versionOf(list) });
    const created = await bench.create("a", { spec: { role: "x" } });
    assert.deepEqual(await watch.event(), { type: "ADDED", object: created });
    const patched = await bench.merged(bench.agents("a", "status"), { status: { recordedSeq: 3 } });
    assert.deepEqual(await watch.event(), { type: "MODIFIED", object: patched });
    await bench.remove(bench.agents("a"));
    const gone = await watch.event();
    assert.ok(gone !== null && gone.type === "DELETED");
    assert.deepEqual(gone.object["status"], { recordedSeq: 3 });
    assert.ok(BigInt(versionOf(gone.object)) > BigInt(versionOf(patched)), "a deletion has a version of its own");
  }),
  apiServerCase("an update that changes nothing is no event", async (bench) => {
    const first = await bench.create("a");
    const watch = await bench.watch({ resourceVersion: versionOf(first) });
    await bench.put(bench.agents("a"), first);
    await bench.create("b");
    assert.deepEqual(await watch.take(1), ["ADDED b"]);
  }),
  apiServerCase("objects enter and leave a watch with a selector", async (bench) => {
    const list = await bench.get(bench.agents());
    const watch = await bench.watch({ resourceVersion: versionOf(list), labelSelector: "app=x" });
    const label = (name: string, app: string): Promise<unknown> =>
      bench.merged(bench.agents(name), { metadata: { labels: { app } } });
    await bench.create("a", { labels: { app: "y" } });
    await label("a", "x");
    await bench.merged(bench.agents("a"), { spec: { role: "z" } });
    await label("a", "y");
    await bench.merged(bench.agents("a"), { spec: { role: "unseen" } });
    await label("a", "x");
    await bench.remove(bench.agents("a"));
    await bench.create("end", { labels: { app: "x" } });
    const wanted = ["ADDED a", "MODIFIED a", "DELETED a", "ADDED a", "DELETED a", "ADDED end"];
    assert.deepEqual(await until(watch, "ADDED end"), wanted);
    // The same for a watch that has to catch up.
    const later = await bench.watch({ resourceVersion: versionOf(list), labelSelector: "app=x" });
    assert.deepEqual(await until(later, "ADDED end"), wanted);
  }),
  apiServerCase("an object that leaves a selector is told as it was, with the version of the change", async (bench) => {
    const first = await bench.create("a", { labels: { app: "x" } });
    const watch = await bench.watch({ resourceVersion: versionOf(first), labelSelector: "app=x" });
    const left = await bench.merged(bench.agents("a"), { metadata: { labels: { app: "y" } } });
    const event = await watch.event();
    assert.equal(event?.type, "DELETED");
    assert.deepEqual(metadataOf(event.object)["labels"], { app: "x" });
    assert.equal(versionOf(event.object), versionOf(left));
  }),
  apiServerCase("a watch of one object, and of one namespace among all", async (bench) => {
    const list = await bench.get(bench.agents());
    const resourceVersion = versionOf(list);
    const one = await bench.watch({ resourceVersion, fieldSelector: "metadata.name=b" });
    const fieldSelector = `metadata.namespace=${bench.namespace}`;
    const all = await bench.watch({ resourceVersion, fieldSelector }, `/apis/${bench.group}/v1alpha1/agents`);
    for (const name of ["a", "b", "c"]) await bench.create(name);
    assert.deepEqual(await one.take(1), ["ADDED b"]);
    assert.deepEqual(await all.take(3), ["ADDED a", "ADDED b", "ADDED c"]);
  }),
  apiServerCase("finalizers show as changes before the deletion", async (bench) => {
    const list = await bench.get(bench.agents());
    const watch = await bench.watch({ resourceVersion: versionOf(list) });
    const body = { ...bench.agent("a"), metadata: { name: "a", finalizers: ["rynxs.test/hold"] } };
    expect(await bench.call({ method: "POST", path: bench.agents(), body }), 201);
    await bench.remove(bench.agents("a"));
    await bench.merged(bench.agents("a"), { metadata: { finalizers: null } });
    assert.deepEqual(await watch.take(3), ["ADDED a", "MODIFIED a", "DELETED a"]);
  }),
  apiServerCase("bookmarks tell how far a quiet watch is, and its time ends in good order", async (bench) => {
    const list = await bench.get(bench.agents());
    const watch = await bench.watch({
      resourceVersion: versionOf(list),
      allowWatchBookmarks: "true",
      timeoutSeconds: "3",
    });
    // Real servers send a bookmark two seconds before the end, but none to a watch whose resource never changed.
    const created = await bench.create("a");
    assert.equal(await watch.next(), "ADDED a");
    let bookmarks = 0;
    for (let event = await watch.event(); event !== null; event = await watch.event()) {
      assert.equal(event.type, "BOOKMARK");
      assert.equal(stringAt(event.object, "kind"), "Agent");
      assert.ok(BigInt(versionOf(event.object)) >= BigInt(versionOf(created)));
      assert.equal(nameOf(event.object), "");
      bookmarks++;
    }
    assert.ok(bookmarks > 0, "there was a bookmark");
  }),
  apiServerCase("a watch of metadata has no contents", async (bench) => {
    const accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    const secrets = `/api/v1/namespaces/${bench.namespace}/secrets`;
    const watch = await bench.watch({ fieldSelector: "metadata.name=s" }, secrets, accept);
    const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "s" }, stringData: { password: "hunter2" } };
    expect(await bench.call({ method: "POST", path: secrets, body: secret }), 201);
    const event = await watch.event();
    assert.equal(event?.type, "ADDED");
    assert.deepEqual(Object.keys(event.object).sort(), ["apiVersion", "kind", "metadata"]);
    assert.equal(event.object["kind"], "PartialObjectMetadata");
    assert.equal(objectAt(event.object, "metadata")["name"], "s");
  }),
];
