import type { ErrorFacts } from "../core/errors.js";
import { lastEventUpTo } from "./listing.js";
import { factsOf, vanished, type LogOnObjects } from "./log-on-objects.js";

/** The object that can hold record `seq`: the last one that begins at or before it; null when there is none. */
export async function objectAt(
  log: LogOnObjects,
  seq: number,
  signal?: AbortSignal,
): Promise<{ readonly keySeq: number; readonly body: Buffer; readonly facts: ErrorFacts } | null> {
  const direct = await log.objects.get(log.keys.event(seq), { signal });
  const keySeq = direct ? seq : await lastEventUpTo(log.objects, log.keys, seq, signal);
  if (keySeq === null) return null;
  const key = log.keys.event(keySeq);
  const body = (direct ?? (await log.objects.get(key, { signal })))?.body;
  if (body === undefined) throw vanished(log, key, keySeq);
  return { keySeq, body, facts: factsOf(log, key) };
}
