import { readFileSync } from "node:fs";
import { Environment } from "@marcbachmann/cel-js";
import { Ajv } from "ajv";
import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { bothMajors, chart, only, render } from "./helm.js";
import { describeWith } from "./tools.js";

interface Schema {
  readonly type?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly description?: string;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
  readonly "x-kubernetes-list-type"?: string;
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-validations"?: readonly { readonly rule: string; readonly message: string }[];
}

type Json = Record<string, unknown>;

const crd = parse(readFileSync(`${chart}/files/crd-agents.yaml`, "utf8")) as {
  spec: {
    versions: [{ schema: { openAPIV3Schema: Schema }; subresources: object; additionalPrinterColumns: object[] }];
  };
};
const [version] = crd.spec.versions;
const schema = version.schema.openAPIV3Schema;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** As an API server does: a null where a default is, and null is not allowed, is taken for nothing. */
function defaulted(value: unknown, { properties = {} }: Schema): unknown {
  if (!isObject(value)) return value;
  const result = { ...value };
  for (const [name, property] of Object.entries(properties)) {
    if (property.default !== undefined && (result[name] ?? null) === null)
      result[name] = structuredClone(property.default);
    if (name in result) result[name] = defaulted(result[name], property);
  }
  return result;
}

const agent = (spec: unknown, name = "a"): Json => ({
  apiVersion: "universe.ai/v1alpha1",
  kind: "Agent",
  metadata: { name, namespace: "n" },
  ...(spec !== undefined && { spec }),
});

const ajv = new Ajv({ allErrors: true, strict: false, formats: { int64: true, "date-time": true } });
const valid = ajv.compile(schema);

/** What an API server would refuse: by the schema's structure, and by its rules. */
function refusals(object: Json): string[] {
  const full = defaulted(object, schema) as Json;
  if (!valid(full)) return (valid.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message ?? ""}`);
  return brokenRules(full, schema);
}

const cel = new Environment().registerVariable("self", "dyn");

function brokenRules(value: unknown, at: Schema): string[] {
  if (value === undefined) return [];
  const broken = (at["x-kubernetes-validations"] ?? [])
    .filter(({ rule }) => cel.evaluate(rule, { self: value }) !== true)
    .map(({ message }) => message);
  const inside = Object.entries(at.properties ?? {}).flatMap(([name, property]) =>
    isObject(value) ? brokenRules(value[name], property) : [],
  );
  return [...broken, ...inside];
}

const vectors = JSON.parse(readFileSync(new URL("../vectors/agent-events.json", import.meta.url), "utf8")) as {
  input: { name: string; spec: Json };
  event: { payload: { spec: Json } };
}[];

describe("the CRD of agents", () => {
  it("has the golden cases", () => {
    expect(vectors).toHaveLength(12);
  });

  it.each(vectors.map(({ input, event }) => [JSON.stringify(input.spec), input, event] as const))(
    "fills the spec %s as the events have it, and refuses nothing of it",
    (_text, input, event) => {
      const object = defaulted(agent(input.spec, input.name), schema) as { spec: Json };
      expect(object.spec).toEqual(event.payload.spec);
      expect(refusals(agent(input.spec, input.name))).toEqual([]);
    },
  );

  it("fills a spec that is not there", () => {
    expect((defaulted(agent(undefined), schema) as { spec: Json }).spec).toEqual(vectors[0]?.event.payload.spec);
  });

  it.each([
    ["an empty role", { role: "" }, "role must not be empty"],
    ["a role of spaces", { role: "  \t" }, "role must not be empty"],
    ["an agent that manages itself", { manages: ["b", "a"] }, "an agent cannot manage itself"],
    ["a workspace of no size", { workspace: { size: "0Gi" } }, "size must be more than zero"],
    ["a workspace of no size, in another way", { workspace: { size: "0.00e9" } }, "size must be more than zero"],
    ["a size that is no quantity", { workspace: { size: "10 GB" } }, "/spec/workspace/size must match pattern"],
    ["a size that is below zero", { workspace: { size: "-1Gi" } }, "/spec/workspace/size must match pattern"],
    ["a tag that is empty", { image: { tag: "" } }, "/spec/image/tag must NOT have fewer than 1 characters"],
    [
      "a permission that is text",
      { permissions: { canManageTeam: "yes" } },
      "/spec/permissions/canManageTeam must be boolean",
    ],
    ["managed agents that are no list", { manages: "b" }, "/spec/manages must be array"],
  ])("refuses %s", (_name, spec, message) => {
    expect(refusals(agent(spec)).join("; ")).toContain(message);
  });

  it.each(["1Gi", "10", "0.5Ti", ".5G", "5.", "100m", "1e3", "+2E-1", "007Ki", "0.05Mi"])(
    "takes the size %s",
    (size) => {
      expect(refusals(agent({ workspace: { size } }))).toEqual([]);
    },
  );

  it("keeps fields that it does not know, wherever a spec has some of its own", () => {
    for (const at of ["image", "permissions", "workspace", "tools", "persona", "custom"]) {
      expect(schema.properties?.["spec"]?.properties?.[at], at).toMatchObject({
        "x-kubernetes-preserve-unknown-fields": true,
      });
    }
    expect(schema.properties?.["spec"]?.["x-kubernetes-preserve-unknown-fields"]).toBe(true);
  });

  it("has what the operator writes to its status", () => {
    expect(version.subresources).toEqual({ status: {} });
    const status = {
      observedGeneration: 2,
      recordedSeq: 0,
      recordedHash: "0a".repeat(32),
      conditions: [
        {
          type: "Recorded",
          status: "True",
          observedGeneration: 2,
          lastTransitionTime: "2026-01-01T00:00:00Z",
          reason: "Appended",
          message: "",
        },
      ],
    };
    expect(refusals({ ...agent({}), status })).toEqual([]);
    expect(refusals({ ...agent({}), status: { recordedHash: "0A".repeat(32) } })).toHaveLength(1);
    const properties = schema.properties?.["status"]?.properties;
    expect(Object.keys(properties ?? {}).sort()).toEqual(Object.keys(status).sort());
    expect(properties?.["conditions"]).toMatchObject({
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["type"],
    });
  });

  it("shows what was recorded in columns", () => {
    expect(version.additionalPrinterColumns).toMatchObject([
      { name: "Role", jsonPath: ".spec.role" },
      { name: "Recorded", jsonPath: '.status.conditions[?(@.type=="Recorded")].status' },
      { name: "Seq", jsonPath: ".status.recordedSeq", type: "integer" },
      { name: "Hash", jsonPath: ".status.recordedHash", priority: 1 },
      { name: "Age", jsonPath: ".metadata.creationTimestamp", type: "date" },
    ]);
  });

  it("is structural: every field has a type, and its rules' texts are bounded so that their cost is", () => {
    const visit = (at: Schema, path: string): void => {
      expect(at.type, path).toBeTypeOf("string");
      if (at.type === "array") expect(at.items, path).toBeDefined();
      if (at["x-kubernetes-validations"] !== undefined && at.type === "string")
        expect(at, path).toHaveProperty("maxLength");
      for (const [name, property] of Object.entries(at.properties ?? {})) visit(property, `${path}.${name}`);
      if (at.items !== undefined) visit(at.items, `${path}[]`);
    };
    visit(schema, "");
  });
});

describeWith(bothMajors, "the chart's CRD", (helm = "") => {
  let rendered: { metadata: { annotations: unknown }; spec: unknown };
  beforeAll(async () => {
    rendered = only(await render(helm), "CustomResourceDefinition", "agents.universe.ai") as typeof rendered;
  });

  it("is the one above, and stays when the release goes", () => {
    expect(rendered.spec).toEqual(crd.spec);
    expect(rendered.metadata.annotations).toEqual({ "helm.sh/resource-policy": "keep" });
  });

  it("can be left to others", async () => {
    const kinds = (await render(helm, { values: { crds: { install: false } } })).map(({ kind }) => kind);
    expect(kinds).not.toContain("CustomResourceDefinition");
  });
});
