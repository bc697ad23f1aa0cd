// Our own HTTP driver without the store: the requests that cannot be saved.

import { randomUUID } from "node:crypto";
import { drive } from "../lib/drive.mjs";
import { recordLines } from "../lib/library.mjs";
import { freshPrefix, openDriver } from "../lib/s3.mjs";

const key = (prefix, i) => `${prefix}/${String(i).padStart(10, "0")}.json`;

/** Put-if-absent, one after the other, of ready-made records. */
export async function putIfAbsent({ s3, warmUp = 50, ...plan }) {
  const objects = openDriver(s3);
  const prefix = freshPrefix("raw");
  const lines = await recordLines(plan.events);
  let written = 0;
  const one = async () => {
    const body = lines[written % lines.length];
    const { outcome } = await objects.putIfAbsent(key(prefix, written++), body, {
      metadata: { "put-id": randomUUID() },
    });
    if (outcome !== "stored") throw new Error(`a put was not stored: ${outcome}`);
  };
  await drive({ ...plan, events: warmUp }, one);
  return { measure: () => drive(plan, one), close: () => objects.close() };
}

/** GETs of the objects of a log, so many at once, and nothing done with them. */
export async function getAll({ s3, prefix, events, callers }) {
  const objects = openDriver(s3);
  const one = (i) => objects.get(key(prefix, i));
  await drive({ events: Math.min(500, events), callers }, one);
  return {
    measure: () => drive({ events, callers, budgetMs: 60_000 }, one),
    close: () => objects.close(),
  };
}
