export { FaultTable, FAULTS, type Fault, type FaultRule, type FaultTarget, type FaultWhen } from "./faults.js";
export { S3Emulator, startS3Emulator, type LoggedRequest, type S3EmulatorOptions } from "./server.js";
export type { Answer } from "./answer.js";
export type { Quirks } from "./objects.js";
export type { Credentials } from "./signature.js";
export type { Version } from "./versions.js";
