// node scripts/kubernetes-schemas.mjs: writes the JSON schemas that the chart's manifests are checked against, made from the type
// declarations of the packages kubernetes-models (MIT). They are closed: a field that the API does not know is refused, as
// `kubectl apply --validate=strict` does.

import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { fetchPackage } from "./tools.mjs";

const target = fileURLToPath(
  new URL("../packages/operator/test/chart/fixtures/kubernetes-schemas.json", import.meta.url),
);

const kinds = {
  "kubernetes-models/apiextensions.k8s.io/v1": ["CustomResourceDefinition"],
  "kubernetes-models/apps/v1": ["Deployment"],
  "kubernetes-models/networking.k8s.io/v1": ["NetworkPolicy"],
  "kubernetes-models/policy/v1": ["PodDisruptionBudget"],
  "kubernetes-models/rbac.authorization.k8s.io/v1": ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"],
  "kubernetes-models/v1": ["ConfigMap", "PersistentVolumeClaim", "Pod", "Service", "ServiceAccount"],
  "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1": ["PrometheusRule", "ServiceMonitor"],
};

const root = mkdtempSync(join(fileURLToPath(new URL("../node_modules/.cache", import.meta.url)), "schemas-"));
try {
  const modules = join(root, "node_modules");
  cpSync(fetchPackage("kubernetes-models"), join(modules, "kubernetes-models"), { recursive: true });
  for (const name of ["apimachinery", "prometheus-operator"]) {
    cpSync(fetchPackage(name), join(modules, "@kubernetes-models", name), { recursive: true });
  }
  writeFileSync(target, print(schemas(modules)));
} finally {
  rmSync(root, { recursive: true, force: true });
}

function schemas(modules) {
  const files = Object.entries(kinds).flatMap(([folder, names]) =>
    names.map((name) => ({ name, file: join(modules, folder, `${name}.d.ts`) })),
  );
  const program = ts.createProgram(
    files.map(({ file }) => file),
    {
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: true,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      target: ts.ScriptTarget.ES2023,
      types: [],
    },
  );
  const checker = program.getTypeChecker();
  const definitions = {};
  const names = new Map();

  for (const { name, file } of files) {
    const module = checker.getSymbolAtLocation(program.getSourceFile(file));
    const symbol = checker.getExportsOfModule(module).find((exported) => exported.name === `I${name}`);
    reference(checker.getDeclaredTypeOfSymbol(symbol));
  }
  // what the declarations cannot say
  const props = { $ref: "#/definitions/JSONSchemaProps" };
  return {
    ...definitions,
    JSON: {},
    JSONSchemaPropsOrBool: { anyOf: [{ type: "boolean" }, props] },
    JSONSchemaPropsOrArray: { anyOf: [props, { type: "array", items: props }] },
    JSONSchemaPropsOrStringArray: { anyOf: [props, { type: "array", items: { type: "string" } }] },
  };

  /** Interfaces become definitions, each once: some hold themselves. */
  function reference(type) {
    let name = names.get(type);
    if (name === undefined) {
      const base = type.symbol.name.replace(/^I/, "");
      name = base;
      for (let n = 2; name in definitions; n += 1) name = `${base}${n}`;
      names.set(type, name);
      definitions[name] = {};
      definitions[name] = object(type);
    }
    return { $ref: `#/definitions/${name}` };
  }

  function object(type) {
    const index = checker.getIndexInfoOfType(type, ts.IndexKind.String);
    if (index !== undefined) return { type: "object", additionalProperties: schema(index.type) };
    const properties = {};
    const required = [];
    for (const property of checker.getPropertiesOfType(type)) {
      properties[property.name] = schema(checker.getTypeOfSymbol(property));
      if ((property.flags & ts.SymbolFlags.Optional) === 0) required.push(property.name);
    }
    // an object of which the declarations say nothing: any
    if (Object.keys(properties).length === 0) return { type: "object" };
    return { type: "object", properties, ...(required.length > 0 && { required }), additionalProperties: false };
  }

  function schema(type) {
    if (type.flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown)) return {};
    if (type.isStringLiteral()) return { enum: [type.value] };
    if (type.flags & ts.TypeFlags.BooleanLike) return { type: "boolean" };
    if (type.flags & ts.TypeFlags.String) return { type: "string" };
    if (type.flags & ts.TypeFlags.Number) return { type: "number" };
    if (type.isUnion()) {
      const parts = type.types.filter((part) => (part.flags & (ts.TypeFlags.Null | ts.TypeFlags.Undefined)) === 0);
      if (parts.every((part) => part.isStringLiteral())) return { enum: parts.map(({ value }) => value) };
      if (parts.every((part) => part.flags & ts.TypeFlags.BooleanLike)) return { type: "boolean" };
      return parts.length === 1 ? schema(parts[0]) : { anyOf: parts.map(schema) };
    }
    if (checker.isArrayType(type)) return { type: "array", items: schema(checker.getTypeArguments(type)[0]) };
    return type.isClassOrInterface() ? reference(type) : object(type);
  }
}

/** One definition a line, so that a change shows as what it is. */
function print(definitions) {
  const lines = Object.keys(definitions)
    .sort()
    .map((name) => `    ${JSON.stringify(name)}: ${JSON.stringify(definitions[name])}`);
  return `{
  "$comment": "made by scripts/kubernetes-schemas.mjs from the declarations of kubernetes-models (MIT)",
  "definitions": {
${lines.join(",\n")}
  }
}
`;
}
