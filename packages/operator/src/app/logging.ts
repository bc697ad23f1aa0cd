import { hash } from "node:crypto";
import { pino, type Logger } from "pino";
import { EventStoreError } from "@rynxs/event-store";
import { KubeError } from "../kube/errors.js";
import type { LogLevel } from "./environment.js";
import type { Subject } from "../record/observation.js";

export type { Logger };

/** Logs to standard output: a JSON object a line, or lines for people. */
export function createLogger({
  level,
  format,
}: {
  readonly level: LogLevel;
  readonly format: "json" | "text";
}): Logger {
  const options = {
    level,
    base: null,
    messageKey: "message",
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  // Written at once: what is said last before the end is said.
  const output = { write: (line: string) => void process.stdout.write(format === "json" ? line : forPeople(line)) };
  return pino(options, output);
}

function forPeople(line: string): string {
  const { time, level, message, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`);
  return `${String(time)} ${String(level).toUpperCase().padEnd(5)} ${String(message)}${rest.join("")}\n`;
}

/** Which object a line is about. All lines of one object, in all replicas, carry the same trace id. */
export function traceOf({ resource, namespace, name, uid }: Subject): object {
  const object = namespace === undefined ? name : `${namespace}/${name}`;
  const trace = hash("sha256", uid ?? `${resource.name} ${object}`, "hex").slice(0, 32);
  return { trace_id: trace, resource: resource.name, object };
}

/** An error as fields of a log line: never a secret. */
export function errorFields(error: unknown): object {
  if (error instanceof EventStoreError || error instanceof KubeError) {
    const { code, message, facts, hint } = error;
    return { error: { code, message, ...facts, ...(hint !== undefined && { hint }) } };
  }
  return { error: { message: error instanceof Error ? error.message : String(error) } };
}
