import assert from "node:assert/strict";
import { isObject, objectAt } from "../fake-cluster/json.js";
import {
  apiServerCase,
  expect,
  itemsOf,
  metadataOf,
  nameOf,
  namesOf,
  refused,
  versionOf,
  type ApiServerCase,
  type Bench,
} from "./case.js";

const SELECTORS: readonly (readonly [selector: string, names: readonly string[]])[] = [
  ["", ["a", "b", "c", "d"]],
  ["app=x", ["a", "b"]],
  ["app==x", ["a", "b"]],
  ["app!=x", ["c", "d"]],
  ["app", ["a", "b", "c"]],
  ["!app", ["d"]],
  ["app in (x,y)", ["a", "b", "c"]],
  ["app in (y)", ["c"]],
  ["app notin (x)", ["c", "d"]],
  ["app=x,tier=front", ["a"]],
  ["app in (x, y),!tier", ["b", "c"]],
  ["example.com/part=z", ["d"]],
  ["app=", []],
  ["app=none", []],
];

async function four(bench: Bench): Promise<void> {
  await bench.create("a", { labels: { app: "x", tier: "front" } });
  await bench.create("b", { labels: { app: "x" } });
  await bench.create("c", { labels: { app: "y" } });
  await bench.create("d", { labels: { "example.com/part": "z" } });
}

const PARTIAL = "as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const PARTIAL_LIST = "as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

async function secret(bench: Bench): Promise<string> {
  const path = `/api/v1/namespaces/${bench.namespace}/secrets`;
  const body = { apiVersion: "v1", kind: "Secret", metadata: { name: "s" }, stringData: { password: "hunter2" } };
  expect(await bench.call({ method: "POST", path, body }), 201);
  return path;
}

export const listCases: readonly ApiServerCase[] = [
  apiServerCase("a list has kind, version and items by name", async (bench) => {
    for (const name of ["b", "c", "a"]) await bench.create(name);
    const list = await bench.get(bench.agents());
    assert.deepEqual([list["kind"], list["apiVersion"]], ["AgentList", `${bench.group}/v1alpha1`]);
    assert.deepEqual(namesOf(list), ["a", "b", "c"]);
    assert.deepEqual(itemsOf(list)[0], await bench.get(bench.agents("a")));
    assert.match(versionOf(list), /^\d+$/);
    assert.deepEqual(namesOf(await bench.get(bench.agents(), { resourceVersion: "0" })), ["a", "b", "c"]);
  }),
  apiServerCase("labels select", async (bench) => {
    await four(bench);
    for (const [labelSelector, names] of SELECTORS) {
      assert.deepEqual(namesOf(await bench.get(bench.agents(), { labelSelector })), names, labelSelector);
    }
  }),
  apiServerCase("fields select", async (bench) => {
    await four(bench);
    const all = `/apis/${bench.group}/v1alpha1/agents`;
    const within = `metadata.namespace=${bench.namespace}`;
    assert.deepEqual(namesOf(await bench.get(bench.agents(), { fieldSelector: "metadata.name=b" })), ["b"]);
    assert.deepEqual(namesOf(await bench.get(bench.agents(), { fieldSelector: "metadata.name!=b" })), ["a", "c", "d"]);
    assert.deepEqual(namesOf(await bench.get(all, { fieldSelector: `metadata.name=c,${within}` })), ["c"]);
  }),
  apiServerCase("a selector that is none is refused", async (bench) => {
    for (const query of [{ labelSelector: "a in x" }, { labelSelector: "=" }, { fieldSelector: "spec.role=x" }]) {
      refused(await bench.call({ method: "GET", path: bench.agents(), query }), 400, "BadRequest");
    }
  }),
  apiServerCase("pages of a list are of one moment", async (bench) => {
    for (const name of ["a", "b", "c", "d", "e"]) await bench.create(name);
    const first = await bench.get(bench.agents(), { limit: "2" });
    await bench.remove(bench.agents("d"));
    await bench.create("ca");
    const names = namesOf(first);
    let page = first;
    for (let pages = 1; metadataOf(page)["continue"] !== undefined && metadataOf(page)["continue"] !== ""; pages++) {
      assert.ok(pages < 4, "the list ends");
      page = await bench.get(bench.agents(), { limit: "2", continue: String(metadataOf(page)["continue"]) });
      assert.equal(versionOf(page), versionOf(first));
      names.push(...namesOf(page));
    }
    assert.deepEqual(names, ["a", "b", "c", "d", "e"]);
  }),
  apiServerCase("a page's continuation is not made up", async (bench) => {
    const query = { limit: "1", continue: "nonsense" };
    refused(await bench.call({ method: "GET", path: bench.agents(), query }), 400, "BadRequest");
  }),
  apiServerCase("of a secret one can have the metadata only", async (bench) => {
    const path = await secret(bench);
    const list = await bench.call({ method: "GET", path, accept: `application/json;${PARTIAL_LIST}` });
    const body = expect(list, 200);
    assert.deepEqual([body["kind"], body["apiVersion"]], ["PartialObjectMetadataList", "meta.k8s.io/v1"]);
    assert.ok(namesOf(body).includes("s"));
    const one = expect(
      await bench.call({ method: "GET", path: `${path}/s`, accept: `application/json;${PARTIAL}` }),
      200,
    );
    assert.deepEqual(Object.keys(one).sort(), ["apiVersion", "kind", "metadata"]);
    assert.deepEqual([one["kind"], nameOf(one)], ["PartialObjectMetadata", "s"]);
    const whole = await bench.get(`${path}/s`);
    assert.deepEqual(whole["data"], { password: Buffer.from("hunter2").toString("base64") });
    assert.ok(!JSON.stringify([list, one]).includes(Buffer.from("hunter2").toString("base64")));
  }),
  apiServerCase("a form that is none is not acceptable", async (bench) => {
    const answer = await bench.call({ method: "GET", path: bench.agents(), accept: "text/html" });
    refused(answer, 406, "NotAcceptable");
  }),
  apiServerCase("a table has the columns of the definition", async (bench) => {
    await bench.create("a", { spec: { role: "director" } });
    const condition = { status: "True", lastTransitionTime: "2026-01-02T03:04:05Z", reason: "R", message: "" };
    const conditions = [
      { ...condition, type: "Other", status: "False" },
      { ...condition, type: "Recorded" },
    ];
    await bench.merged(bench.agents("a", "status"), { status: { recordedSeq: 12, conditions } });
    const accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    const table = expect(await bench.call({ method: "GET", path: bench.agents(), accept }), 200);
    const { columnDefinitions, rows, kind } = table;
    assert.equal(kind, "Table");
    assert.ok(Array.isArray(columnDefinitions) && Array.isArray(rows));
    const columns = (columnDefinitions as Record<string, unknown>[]).map(({ name, priority }) => [name, priority]);
    assert.deepEqual(columns, [
      ["Name", 0],
      ["Role", 0],
      ["Recorded", 0],
      ["Seq", 0],
      ["Hash", 1],
      ["Age", 0],
    ]);
    const row: unknown = rows[0];
    assert.ok(isObject(row) && Array.isArray(row["cells"]));
    assert.deepEqual(row["cells"].slice(0, 5), ["a", "director", "True", 12, null]);
    assert.equal(nameOf(objectAt(row, "object")), "a");
  }),
];
