import assert from "node:assert/strict";
import { objectAt } from "../fake-cluster/json.js";
import { DEFAULT_SPEC } from "./agent-definition.js";
import { apiServerCase, causesOf, expect, refused, type ApiServerCase, type Bench } from "./case.js";

const SPECS: readonly (readonly [what: string, sent: object, stored: object])[] = [
  ["an empty spec gets all defaults", {}, DEFAULT_SPEC],
  ["nulls are defaulted", { role: null, permissions: null, image: null, workspace: null }, DEFAULT_SPEC],
  ["nulls within are defaulted", { image: { tag: null, verify: null } }, DEFAULT_SPEC],
  ["nulls without a default are dropped", { team: null, image: { repository: null } }, DEFAULT_SPEC],
  [
    "what is given stays",
    { role: "Director", permissions: { canAssignTasks: true }, image: { repository: "r", tag: "v1" } },
    {
      ...DEFAULT_SPEC,
      role: "Director",
      permissions: { canAccessAuditLogs: false, canAssignTasks: true, canManageTeam: false },
      image: { repository: "r", tag: "v1", verify: false },
    },
  ],
  [
    "unknown fields of the spec are kept, nulls in them too",
    { anything: { deep: [1, null, "é😀"] }, custom: { z: [3, 1] }, nothing: null },
    { ...DEFAULT_SPEC, anything: { deep: [1, null, "é😀"] }, custom: { z: [3, 1] }, nothing: null },
  ],
  ["unknown fields below are dropped", { image: { colour: "red" } }, DEFAULT_SPEC],
];

const WRONG: readonly (readonly [spec: object, causes: readonly string[]])[] = [
  [{ role: 5 }, ["spec.role: FieldValueTypeInvalid"]],
  [{ image: "x" }, ["spec.image: FieldValueTypeInvalid"]],
  [{ role: "" }, ["spec.role: FieldValueInvalid"]],
  [{ role: "r".repeat(64) }, ["spec.role: FieldValueTooLong"]],
  [{ workspace: { size: "big" } }, ["spec.workspace.size: FieldValueInvalid"]],
  [{ priority: "middle" }, ["spec.priority: FieldValueNotSupported"]],
  [{ weight: 11 }, ["spec.weight: FieldValueInvalid"]],
  [{ weight: 0 }, ["spec.weight: FieldValueInvalid"]],
  [{ manages: ["a", 1] }, ["spec.manages[1]: FieldValueTypeInvalid"]],
];

async function stored(bench: Bench, spec: object): Promise<unknown> {
  const { note, ...rest } = objectAt(await bench.create("a", { spec }), "spec");
  assert.equal(note, "none");
  return rest;
}

export const schemaCases: readonly ApiServerCase[] = [
  ...SPECS.map(([what, sent, wanted]) =>
    apiServerCase(`schema: ${what}`, async (bench) => {
      assert.deepEqual(await stored(bench, sent), wanted);
    }),
  ),
  apiServerCase("schema: a nullable field keeps its null", async (bench) => {
    assert.equal(objectAt(await bench.create("a", { spec: { note: null } }), "spec")["note"], null);
  }),
  apiServerCase("schema: a missing spec gets all defaults", async (bench) => {
    const { spec: _, ...rest } = bench.agent("a");
    const created = expect(await bench.call({ method: "POST", path: bench.agents(), body: rest }), 201);
    assert.deepEqual(created["spec"], { ...DEFAULT_SPEC, note: "none" });
  }),
  apiServerCase("schema: unknown fields at the root are dropped, or refused on demand", async (bench) => {
    const body = bench.agent("a", { extra: 1 });
    const query = { fieldValidation: "Strict" };
    refused(await bench.call({ method: "POST", path: bench.agents(), query, body }), 400, "BadRequest");
    const warned = await bench.call({ method: "POST", path: bench.agents(), body });
    assert.match(warned.headers["warning"] ?? "", /unknown field/);
    assert.equal(expect(warned, 201)["extra"], undefined);
  }),
  ...WRONG.map(([spec, causes]) =>
    apiServerCase(`schema: refused is ${JSON.stringify(spec).slice(0, 60)}`, async (bench) => {
      const answer = await bench.call({ method: "POST", path: bench.agents(), body: bench.agent("a", { spec }) });
      assert.deepEqual(causesOf(refused(answer, 422, "Invalid")), causes);
    }),
  ),
  apiServerCase("schema: an int or a string is either", async (bench) => {
    await bench.create("a", { spec: { replicas: 3 } });
    await bench.create("b", { spec: { replicas: "50%" } });
    const body = bench.agent("c", { spec: { replicas: 1.5 } });
    refused(await bench.call({ method: "POST", path: bench.agents(), body }), 422, "Invalid");
  }),
  apiServerCase("schema: a CEL rule is judged", async (bench) => {
    const body = bench.agent("a", { spec: { role: "none" } });
    const { message } = refused(await bench.call({ method: "POST", path: bench.agents(), body }), 422, "Invalid");
    assert.match(String(message), /an agent has a role/);
  }),
  apiServerCase("schema: a status is checked", async (bench) => {
    await bench.create("a");
    const condition = {
      type: "A",
      status: "True",
      lastTransitionTime: "2026-01-02T03:04:05Z",
      reason: "R",
      message: "",
    };
    const wrong: readonly object[] = [
      { recordedHash: "xyz" },
      { recordedSeq: -1 },
      { recordedSeq: "1" },
      { conditions: [{ type: "A" }] },
      { conditions: [condition, condition] },
      { conditions: [{ ...condition, lastTransitionTime: "yesterday" }] },
      { conditions: [{ ...condition, status: "Maybe" }] },
    ];
    for (const status of wrong) refused(await bench.merge(bench.agents("a", "status"), { status }), 422, "Invalid");
    await bench.merged(bench.agents("a", "status"), { status: { conditions: [condition] } });
  }),
];
