export * from "./auditors.js";
export * from "./bucket.js";
export * from "./log.js";
export * from "./long-logs.js";
export * from "./trust.js";
