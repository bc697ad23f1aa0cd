import type { JsonObject } from "../fake-cluster/json.js";

/** A spec of `{}` with all that the schema adds. */
export const DEFAULT_SPEC: JsonObject = {
  image: { tag: "latest", verify: false },
  permissions: { canAccessAuditLogs: false, canAssignTasks: false, canManageTeam: false },
  role: "worker",
  workspace: { size: "1Gi" },
};

const flag: JsonObject = { type: "boolean", default: false };
const text: JsonObject = { type: "string" };
const anything: JsonObject = { type: "object", "x-kubernetes-preserve-unknown-fields": true };

const spec: JsonObject = {
  type: "object",
  default: {},
  "x-kubernetes-preserve-unknown-fields": true,
  "x-kubernetes-validations": [{ rule: "self.role != 'none'", message: "an agent has a role" }],
  properties: {
    role: { type: "string", default: "worker", minLength: 1, maxLength: 63 },
    team: text,
    image: {
      type: "object",
      default: {},
      properties: { repository: text, tag: { ...text, default: "latest" }, verify: flag },
    },
    permissions: {
      type: "object",
      default: {},
      properties: { canAccessAuditLogs: flag, canAssignTasks: flag, canManageTeam: flag },
    },
    workspace: {
      type: "object",
      default: {},
      properties: {
        size: { type: "string", default: "1Gi", pattern: "^[0-9]+(Ki|Mi|Gi|Ti)$" },
        storageClassName: text,
      },
    },
    replicas: { "x-kubernetes-int-or-string": true, anyOf: [{ type: "integer" }, { type: "string" }] },
    priority: { type: "string", enum: ["low", "high"] },
    weight: { type: "integer", minimum: 1, maximum: 10 },
    note: { type: "string", nullable: true, default: "none" },
    tools: anything,
    manages: { type: "array", maxItems: 3, items: text },
    persona: anything,
    custom: anything,
  },
};

const condition: JsonObject = {
  type: "object",
  required: ["type", "status", "lastTransitionTime", "reason", "message"],
  properties: {
    type: { type: "string", maxLength: 316 },
    status: { type: "string", enum: ["True", "False", "Unknown"] },
    observedGeneration: { type: "integer", format: "int64", minimum: 0 },
    lastTransitionTime: { type: "string", format: "date-time" },
    reason: { type: "string", minLength: 1, maxLength: 1024, pattern: "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$" },
    message: { type: "string", maxLength: 32768 },
  },
};

const status: JsonObject = {
  type: "object",
  properties: {
    observedGeneration: { type: "integer", format: "int64" },
    recordedSeq: { type: "integer", format: "int64", minimum: 0 },
    recordedHash: { type: "string", pattern: "^[0-9a-f]{64}$" },
    conditions: {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["type"],
      items: condition,
    },
  },
};

/** A definition like that of `agents.universe.ai`, in a group of the test's own. */
export function agentDefinition(group: string): JsonObject {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `agents.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { kind: "Agent", listKind: "AgentList", plural: "agents", singular: "agent" },
      versions: [
        {
          name: "v1alpha1",
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: [
            { name: "Role", type: "string", jsonPath: ".spec.role" },
            { name: "Recorded", type: "string", jsonPath: '.status.conditions[?(@.type=="Recorded")].status' },
            { name: "Seq", type: "integer", jsonPath: ".status.recordedSeq" },
            { name: "Hash", type: "string", jsonPath: ".status.recordedHash", priority: 1 },
            { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
          ],
          schema: { openAPIV3Schema: { type: "object", properties: { spec, status } } },
        },
      ],
    },
  };
}
