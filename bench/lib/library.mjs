// The build under test. The public entries are imported by their names; what lies below them (what serialising and hashing
// cost by themselves) is taken from the built core modules.

import { join } from "node:path";
import { eventAt } from "./events.mjs";

export * from "@rynxs/event-store";
export { openS3Objects } from "@rynxs/event-store/s3";

const GENESIS = "0".repeat(64);

export const cliPath = join(import.meta.dirname, "..", "..", "packages", "cli", "bin", "rynxs.js");

/** A module below the public entries. @param {string} path in the library's sources, as `core/record.js` */
export const internal = (path) => import(new URL(`../dist/${path}`, import.meta.resolve("@rynxs/event-store")).href);

/** Turns events into the records of a chain, without any input or output. @returns {Promise<(event: object) => object>} */
export async function recordChain() {
  const { prepareEvent, encodeRecord } = await internal("core/record.js");
  let seq = 0;
  let hash = GENESIS;
  return (event) => {
    const record = encodeRecord(prepareEvent(event, 1, Date.now), seq++, hash);
    hash = record.eventHash;
    return record;
  };
}

/** The stored lines of the first `count` events, without newlines. @returns {Promise<Buffer[]>} */
export async function recordLines(count) {
  const next = await recordChain();
  return Array.from({ length: count }, (_, i) => next(eventAt(i)).line);
}
