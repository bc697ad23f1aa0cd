/**
 * The testing kit of `@rynxs/event-store`: conformance suites of both ports as runner-agnostic data, a checker of histories, stores in memory and in a
 * directory, and an S3 server with a table of faults.
 */
export {
  deletePrefix,
  objectStoreConformance,
  type ConformanceCase,
  type ConformanceContext,
} from "./object-store-conformance.js";
export { memoryObjects, MemoryObjects, type MemoryOptions } from "../objects/memory.js";
export { ObjectMap, type HeldObject, type HeldOptions, type KeyPage } from "../objects/object-map.js";
export { directoryObjects, DirectoryObjects, type DirectoryOptions } from "../objects/directory.js";
export {
  FAULTS,
  FaultTable,
  S3Emulator,
  startS3Emulator,
  type Answer,
  type Credentials,
  type Fault,
  type FaultRule,
  type FaultTarget,
  type FaultWhen,
  type LoggedRequest,
  type Quirks,
  type S3EmulatorOptions,
  type Version,
} from "./s3-emulator/index.js";
export { eventStoreConformance, type EventStoreCase, type EventStoreContext } from "./event-store-conformance.js";
export { AppendInvocation, History, ReadInvocation } from "./history.js";
export { checkHistory } from "./history-checker.js";
export { recorded } from "./recorded-store.js";
