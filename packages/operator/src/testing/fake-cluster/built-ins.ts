import * as causes from "./causes.js";
import { crdCauses, crdWithDefaults } from "./crd.js";
import { coreEvents, events } from "./events.js";
import type { Cause } from "./failure.js";
import { isObject, mapValues, objectAt, type JsonObject } from "./json.js";
import { checkMicroTime } from "./micro-time.js";
import { builtIn, type Resource } from "./resource.js";

const namespaces = builtIn("", "v1", "namespaces", "Namespace", {
  namespaced: false,
  hasStatus: true,
  shortNames: ["ns"],
  columns: [{ name: "Status", type: "string", jsonPath: ".status.phase" }],
  admit: (object) => ({
    object: {
      ...object,
      spec: { finalizers: ["kubernetes"], ...objectAt(object, "spec") },
      status: { phase: "Active", ...objectAt(object, "status") },
    },
    unknownFields: [],
  }),
});

const secrets = builtIn("", "v1", "secrets", "Secret", {
  columns: [{ name: "Type", type: "string", jsonPath: ".type" }],
  admit: ({ stringData, ...object }) => {
    const plain = isObject(stringData) ? stringData : {};
    const encoded = mapValues(plain, (value) => Buffer.from(String(value)).toString("base64"));
    const data = { ...objectAt(object, "data"), ...encoded };
    return {
      object: { type: "Opaque", ...object, ...(Object.keys(data).length === 0 ? {} : { data }) },
      unknownFields: [],
    };
  },
});

const configMaps = builtIn("", "v1", "configmaps", "ConfigMap", {
  shortNames: ["cm"],
  validate: (object) =>
    Object.entries(objectAt(object, "data"))
      .filter(([, value]) => typeof value !== "string")
      .map(([key, value]) => causes.wrong(`data[${key}]`, value, "must be a string")),
});

const pods = builtIn("", "v1", "pods", "Pod", {
  hasStatus: true,
  shortNames: ["po"],
  columns: [{ name: "Status", type: "string", jsonPath: ".status.phase" }],
  admit: (object) => ({
    object: { ...object, status: { phase: "Pending", ...objectAt(object, "status") } },
    unknownFields: [],
  }),
});

function leaseCauses(object: JsonObject): Cause[] {
  const spec = objectAt(object, "spec");
  const found: Cause[] = [];
  const { leaseDurationSeconds: duration, leaseTransitions: transitions } = spec;
  if (typeof duration === "number" && duration <= 0) {
    found.push(causes.wrong("spec.leaseDurationSeconds", duration, "must be greater than 0"));
  }
  if (typeof transitions === "number" && transitions < 0) {
    found.push(causes.wrong("spec.leaseTransitions", transitions, "must be greater than or equal to 0"));
  }
  return found;
}

const leases = builtIn("coordination.k8s.io", "v1", "leases", "Lease", {
  unconditionalUpdate: false,
  createOnUpdate: true,
  columns: [{ name: "Holder", type: "string", jsonPath: ".spec.holderIdentity" }],
  admit: (object) => {
    checkMicroTime("Lease", object["spec"], "acquireTime");
    checkMicroTime("Lease", object["spec"], "renewTime");
    return { object, unknownFields: [] };
  },
  validate: leaseCauses,
});

const customResourceDefinitions = builtIn(
  "apiextensions.k8s.io",
  "v1",
  "customresourcedefinitions",
  "CustomResourceDefinition",
  {
    namespaced: false,
    hasStatus: true,
    hasGeneration: true,
    unconditionalUpdate: false,
    shortNames: ["crd", "crds"],
    columns: [{ name: "Created At", type: "date", jsonPath: ".metadata.creationTimestamp" }],
    admit: (object) => ({ object: crdWithDefaults(object), unknownFields: [] }),
    validate: (object) => crdCauses(object),
  },
);

/** What the server has without any CustomResourceDefinition. */
export const BUILT_INS: readonly Resource[] = [
  namespaces,
  configMaps,
  secrets,
  pods,
  coreEvents,
  events,
  leases,
  customResourceDefinitions,
];
