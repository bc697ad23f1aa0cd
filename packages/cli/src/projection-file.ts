import { access } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { EventStore, Projection } from "@rynxs/event-store";
import { describe, usageError } from "./exit.js";
import { startProgress, type Progress } from "./progress.js";

const EXPORTS =
  "it is an ES module that exports, as default or as `projection`, what defineProjection() returns or takes: { name, version, initial, apply }";

/** The projection that an ES module exports. Its code runs. @throws CliError INVALID_CONFIG */
export async function loadProjection(file: string): Promise<Projection<unknown>> {
  const path = resolve(file);
  await access(path).catch(() => {
    throw usageError(`--projection: there is no file ${path}`, EXPORTS);
  });
  let module: { readonly default?: unknown; readonly projection?: unknown };
  try {
    module = (await import(pathToFileURL(path).href)) as typeof module;
  } catch (error) {
    const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    throw usageError(`--projection: ${path} cannot be loaded: ${why}`, EXPORTS);
  }
  const given = module.default ?? module.projection;
  if (typeof given !== "object" || given === null)
    throw usageError(`--projection: ${path} exports no projection`, EXPORTS);
  const { defineProjection } = await import("@rynxs/event-store");
  try {
    return defineProjection(given as Projection<unknown>);
  } catch (error) {
    const { message, hint } = describe(error);
    throw usageError(`--projection: ${path}: ${message}`, hint ?? EXPORTS);
  }
}

/** Follows the seqs that a projection has come to. */
export async function startProjectionProgress(verb: string, store: EventStore, toSeq?: number): Promise<Progress> {
  if (!process.stderr.isTTY) return await startProgress(verb);
  // a head that cannot be had, for whatever reason, is for the projection itself to report
  const head = await store.head().catch(() => undefined);
  return await startProgress(verb, head && Math.min(head.seq, toSeq ?? head.seq) + 1);
}
