export * from "./core/errors.js";
export {
  GENESIS_HASH,
  MAX_BATCH_BYTES,
  MAX_BATCH_RECORDS,
  MAX_RECORD_BYTES,
  MAX_SEQ,
  type Anchor,
  type AnyEvents,
  type EventMap,
  type HashVersion,
  type Head,
  type JsonInput,
  type JsonInputObject,
  type JsonObject,
  type JsonValue,
  type NewEvent,
  type Payload,
  type RecordedEvent,
  type StoredRecord,
} from "./core/event.js";
export { parseEventText } from "./core/event-text.js";
export { recordTexts, type RecordTexts } from "./core/record-texts.js";
export { canonicalizeText } from "./core/json/canonical-text.js";
export { parseValue as parseJson } from "./core/json/parse-value.js";
export { JsonText } from "./core/json/json-text.js";
export type * from "./objects/port.js";
export type { ObserveObjects } from "./objects/observed.js";
export { directoryObjects } from "./objects/directory.js";
export { memoryObjects, type MemoryObjects, type MemoryOptions } from "./objects/memory.js";
export { FileEventStore, type FileEventStoreOptions } from "./stores/file/file-event-store.js";
export {
  recordDecision,
  type DecisionLog,
  type DecisionOptions,
  type NewDecision,
  type RecordedDecision,
  type Trigger,
} from "./stores/decision.js";
export { openEventStore, storeConfig, type Environment, type StoreConfig, type StoreOverrides } from "./stores/open.js";
export type * from "./stores/port.js";
export { project, type Projected, type ProjectOptions, type ProjectProgress } from "./stores/projection/project.js";
export { defineProjection, type Projection, type ProjectionFilter } from "./stores/projection/projection.js";
export type { StoredSnapshot } from "./stores/projection/snapshot-shelf.js";
export { deleteSnapshots, listSnapshots, type ListedSnapshot } from "./stores/projection/snapshots.js";
export { canonicalState } from "./stores/projection/state.js";
export { S3EventStore, type ObjectLogOptions, type S3EventStoreOptions } from "./stores/s3-event-store.js";
export { consume, type ConsumeOptions } from "./stores/subscription/consume.js";
export type * from "./stores/subscription/port.js";
export { positionsOf } from "./stores/subscription/positions.js";
export { systemRuntime, type Runtime } from "./system/runtime.js";
export type { OnWarning, StoreWarning } from "./system/warning.js";
export { examine, examineProtection, type ExamineOptions } from "./stores/doctor.js";
export {
  logPolicies,
  POLICY_ROLES,
  type LogPolicies,
  type PolicyOptions,
  type PolicyRole,
} from "./stores/hardening/policies.js";
export type { PolicyConditions, PolicyDocument, PolicyStatement } from "./stores/hardening/policy-document.js";
export type { Check } from "./log/examine-objects.js";
export {
  archiveOf,
  type ArchiveRange,
  type LogArchive,
  type RestoreOptions,
  type SegmentRestore,
  type SegmentState,
  type WaitOptions,
} from "./stores/archive.js";
export { lifecycleOf, type LifecycleView, type LogLifecycle, type RuleView } from "./stores/lifecycle.js";
export { SEGMENT_CLASSES, type LifecyclePolicy } from "./stores/lifecycle-policy.js";
export { fsck, type FsckOptions, type FsckProgress } from "./stores/fsck/fsck.js";
export {
  FSCK_EVIDENCE,
  FSCK_WARNINGS,
  type FsckCode,
  type FsckFinding,
  type FsckReport,
  type FsckVersion,
} from "./stores/fsck/finding.js";
export { holdOf, type HoldRange, type HoldReport, type HoldState, type LogHold } from "./stores/hold/hold.js";
export { RETENTION_MODES, type Retention, type RetentionMode } from "./objects/locks.js";
export type { BucketLog } from "./stores/bucket-upkeep.js";
export { RESTORE_TIERS, type ArchiveState, type RestoreAnswer, type RestoreTier } from "./objects/archive.js";
