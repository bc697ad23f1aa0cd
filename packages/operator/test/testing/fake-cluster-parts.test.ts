import { describe, expect, it } from "vitest";
import { formOf } from "../../src/testing/fake-cluster/accept.js";
import { loadCelRules } from "../../src/testing/fake-cluster/cel-rules.js";
import { crdCauses } from "../../src/testing/fake-cluster/crd.js";
import { jsonPatch } from "../../src/testing/fake-cluster/json-patch.js";
import { jsonPath } from "../../src/testing/fake-cluster/json-path.js";
import { deepEqual, parse, stringify } from "../../src/testing/fake-cluster/json.js";
import { mergePatch } from "../../src/testing/fake-cluster/merge-patch.js";
import { ruleAllows } from "../../src/testing/fake-cluster/rbac.js";
import { targetOf } from "../../src/testing/fake-cluster/target.js";
import { schemaCauses } from "../../src/testing/fake-cluster/validation.js";
import { agentDefinition } from "../../src/testing/index.js";

describe("JSON", () => {
  it("keeps big integers and odd keys", () => {
    const text = '{"a":9007199254740993,"b":[-9223372036854775808,1.5],"c":"9007199254740993"}';
    expect(stringify(parse(text))).toBe(text);
    expect(Object.keys(mergePatch({}, parse('{"__proto__":{"x":1}}')) as object)).toEqual(["__proto__"]);
  });

  it.each([
    [{ a: 1, b: [1, { c: null }] }, { b: [1, { c: null }], a: 1 }, true],
    [{ a: 1 }, { a: 1, b: undefined }, true],
    [{ a: 1 }, { a: 1, b: null }, false],
    [[1, 2], [2, 1], false],
    [[], {}, false],
    [null, {}, false],
  ])("compares %j and %j", (a, b, same) => {
    expect(deepEqual(a, b)).toBe(same);
  });
});

describe("JSON patch", () => {
  const target = { a: { "b/c": 1, "d~e": [1, 2, 3] } };

  it.each([
    [[{ op: "add", path: "/a/d~0e/1", value: 9 }], { a: { "b/c": 1, "d~e": [1, 9, 2, 3] } }],
    [[{ op: "remove", path: "/a/b~1c" }], { a: { "d~e": [1, 2, 3] } }],
    [[{ op: "move", from: "/a/d~0e/0", path: "/first" }], { a: { "b/c": 1, "d~e": [2, 3] }, first: 1 }],
    [[{ op: "copy", from: "/a/b~1c", path: "/copy" }], { ...target, copy: 1 }],
    [[{ op: "replace", path: "", value: 7 }], 7],
  ])("does %j", (patch, wanted) => {
    expect(jsonPatch(target, patch)).toEqual(wanted);
    expect(target).toEqual({ a: { "b/c": 1, "d~e": [1, 2, 3] } });
  });

  it.each([
    [{ op: "add", path: "/missing/x", value: 1 }],
    [{ op: "remove", path: "/a/x" }],
    [{ op: "add", path: "/a/d~0e/9", value: 1 }],
    [{ op: "test", path: "/a/b~1c", value: 2 }],
    [{ op: "spin", path: "/a" }],
    [{ op: "add", path: "a", value: 1 }],
  ])("refuses %j", (operation) => {
    expect(() => jsonPatch(target, [operation])).toThrow();
  });
});

describe("JSONPath", () => {
  const value = {
    spec: {
      role: "x",
      "a.b": 1,
      list: [
        { type: "A", v: 1 },
        { type: "B", v: 2 },
      ],
    },
  };

  it.each([
    [".spec.role", ["x"]],
    [".spec['a.b']", [1]],
    [".spec.a\\.b", [1]],
    [".spec.list[1].v", [2]],
    [".spec.list[*].v", [1, 2]],
    ['.spec.list[?(@.type=="B")].v', [2]],
    [".spec.list[?(@.type=='C')].v", []],
    [".spec.missing.role", []],
  ])("%s", (path, found) => {
    expect(jsonPath(path)?.(value)).toEqual(found);
  });

  it("is not more than that", () => {
    expect(jsonPath("..role")).toBeNull();
    expect(jsonPath(".spec.list[0:1]")).toBeNull();
  });
});

describe("addresses", () => {
  it.each([
    ["GET", "/api/v1/namespaces/a", "get  v1 namespaces - a -"],
    ["GET", "/api/v1/namespaces/a/configmaps", "list  v1 configmaps a - -"],
    ["GET", "/api/v1/namespaces/a/status", "get  v1 namespaces - a status"],
    ["GET", "/apis/g/v1/things?watch=1", "watch g v1 things - - -"],
    ["PATCH", "/apis/g/v1/namespaces/a/things/b/status", "patch g v1 things a b status"],
    ["DELETE", "/apis/g/v1/namespaces/a/things", "deletecollection g v1 things a - -"],
    ["GET", "/apis/g/v1/namespaces/a%2Fb/things/c", "get g v1 things a/b c -"],
    ["GET", "/apis/g/v1", "get    - - -"],
    ["GET", "/%ff", "get    - - -"],
  ])("%s %s", (method, address, wanted) => {
    const { pathname, searchParams } = new URL(address, "http://fake");
    const {
      verb,
      group,
      version,
      plural,
      namespace = "-",
      name = "-",
      subresource = "-",
    } = targetOf(method, pathname, searchParams);
    expect([verb, group, version, plural, namespace, name, subresource].join(" ")).toBe(wanted);
  });
});

describe("forms", () => {
  const as = (kind: string, version = "v1"): string => `application/json;as=${kind};g=meta.k8s.io;v=${version}`;

  it.each([
    ["", "one", "object"],
    ["*/*", "list", "object"],
    [as("PartialObjectMetadataList"), "list", "metadata"],
    [as("PartialObjectMetadata"), "watch", "metadata"],
    [`${as("Table", "v2")}, ${as("Table")}`, "list", "table"],
    [`${as("PartialObjectMetadata")}, application/json`, "list", "object"],
  ] as const)("%s for %s is %s", (accept, what, form) => {
    expect(formOf(accept, what)).toBe(form);
  });

  it.each([
    ["application/vnd.kubernetes.protobuf", "one"],
    [as("PartialObjectMetadataList"), "one"],
    [as("PartialObjectMetadata"), "list"],
  ] as const)("%s for %s is refused", (accept, what) => {
    expect(() => formOf(accept, what)).toThrow(/media types/);
  });
});

describe("schemas", () => {
  it.each([
    [{ type: "integer", format: "int32" }, 2 ** 31, ["x: FieldValueInvalid"]],
    [{ type: "integer", format: "int64" }, 2n ** 63n - 1n, []],
    [{ type: "number", exclusiveMinimum: true, minimum: 1 }, 1, ["x: FieldValueInvalid"]],
    [
      { type: "array", "x-kubernetes-list-type": "set", items: { type: "string" } },
      ["a", "a"],
      ["x[1]: FieldValueDuplicate"],
    ],
    [{ type: "array", maxItems: 1, items: { type: "string" } }, ["a", "b"], ["x: FieldValueTooMany"]],
    [{ type: "object", additionalProperties: { type: "string" } }, { a: 1 }, ["x.a: FieldValueTypeInvalid"]],
    [{ type: "string", oneOf: [{ pattern: "a" }, { pattern: "b" }] }, "ab", ["x: FieldValueInvalid"]],
    [{ type: "string", not: { enum: ["no"] } }, "no", ["x: FieldValueInvalid"]],
    [{ type: "string", maxLength: 1 }, "😀", []],
    [{ type: "string" }, null, ["x: FieldValueTypeInvalid"]],
    [{ type: "string", nullable: true }, null, []],
  ])("%j judges %s", (schema, value, wanted) => {
    expect(schemaCauses(value, schema, "x").map(({ field, reason }) => `${field}: ${reason}`)).toEqual(wanted);
  });

  it("of definitions are structural", () => {
    expect(crdCauses(agentDefinition("g.rynxs.test"))).toEqual([]);
    const wrong = (properties: object, root: object = {}): string[] =>
      crdCauses({
        metadata: { name: "as.g" },
        spec: {
          group: "g",
          scope: "Namespaced",
          names: { plural: "as", kind: "A" },
          versions: [
            {
              name: "v1",
              served: true,
              storage: true,
              schema: { openAPIV3Schema: { type: "object", properties, ...root } },
            },
          ],
        },
      }).map(({ field }) => field.replace("spec.versions[0].schema.openAPIV3Schema", "$"));
    expect(wrong({ a: {} })).toEqual(["$.properties[a].type"]);
    expect(wrong({ a: { type: "array" } })).toEqual(["$.properties[a].items"]);
    expect(wrong({}, { type: "string" })).toEqual(["$.type"]);
    const items = { type: "object", properties: { type: { type: "string" } } };
    const map = { type: "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"] };
    expect(wrong({ a: { ...map, items } })).toEqual(["$.properties[a].x-kubernetes-list-map-keys"]);
    expect(wrong({ a: { ...map, items: { ...items, required: ["type"] } } })).toEqual([]);
  });
});

describe("rules in CEL", () => {
  const schema = (rule: object, properties: object = { n: { type: "integer" } }): Record<string, unknown> => ({
    type: "object",
    properties,
    "x-kubernetes-validations": [rule],
  });

  it.each([
    [{ rule: "self.n > 3" }, { n: 4 }, undefined, []],
    [{ rule: "self.n > 3", message: "more" }, { n: 3 }, undefined, ["x: more"]],
    [{ rule: "self.n > 3", messageExpression: "'got ' + string(self.n)" }, { n: 3 }, undefined, ["x: got 3"]],
    [{ rule: "self.n == oldSelf.n", message: "fixed" }, { n: 3 }, undefined, []],
    [{ rule: "self.n == oldSelf.n", message: "fixed" }, { n: 3 }, { n: 3 }, []],
    [{ rule: "self.n == oldSelf.n", message: "fixed", fieldPath: ".n" }, { n: 3 }, { n: 4 }, ["x.n: fixed"]],
    [{ rule: "!has(self.n) || self.n < 3" }, {}, undefined, []],
  ])("%j on %j, before %j", async (rule, value, old, wanted) => {
    const cel = await loadCelRules();
    const causes = cel?.causes(value, old, schema(rule), "x") ?? [];
    expect(
      causes.map(({ field, message }) => `${field}: ${message.replace(/^Invalid value: "object": /, "")}`),
    ).toEqual(wanted);
  });

  it("that use what only Kubernetes has are told, not judged", async () => {
    const cel = await loadCelRules();
    expect(cel?.causes({ n: 1 }, undefined, schema({ rule: "isURL('x') && self.n > 5" }), "x")).toEqual([]);
    expect([...(cel?.unjudged.keys() ?? [])]).toEqual(["isURL('x') && self.n > 5"]);
  });
});

describe("rules of access", () => {
  const request = {
    user: "u",
    groups: [],
    userAgent: "",
    verb: "get",
    resource: "things",
    subresource: undefined,
    group: "g",
    version: "v1",
    namespace: "n",
    name: "a",
    path: "/apis/g/v1/namespaces/n/things/a",
  };

  it.each([
    [{ apiGroups: ["g"], resources: ["things"], verbs: ["get"] }, {}, true],
    [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }, { subresource: "status" }, true],
    [{ apiGroups: ["g"], resources: ["things"], verbs: ["get"] }, { subresource: "status" }, false],
    [{ apiGroups: ["g"], resources: ["*/status"], verbs: ["get"] }, { subresource: "status" }, true],
    [{ apiGroups: [""], resources: ["things"], verbs: ["get"] }, {}, false],
    [{ apiGroups: ["g"], resources: ["things"], verbs: ["get"], resourceNames: ["b"] }, {}, false],
    [
      { apiGroups: ["g"], resources: ["things"], verbs: ["create"], resourceNames: ["a"] },
      { verb: "create", name: undefined },
      false,
    ],
    [{ nonResourceURLs: ["/metrics"], verbs: ["get"] }, { resource: "", path: "/metrics" }, true],
    [{ nonResourceURLs: ["/metrics/*"], verbs: ["get"] }, { resource: "", path: "/metrics" }, false],
  ])("%j of %j: %s", (rule, change, allowed) => {
    expect(ruleAllows(rule, { ...request, ...change })).toBe(allowed);
  });
});
