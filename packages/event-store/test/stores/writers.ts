import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { EventStore } from "../../src/stores/port.js";

const SCRIPT = fileURLToPath(new URL("append-many.mjs", import.meta.url));

interface Ack {
  readonly writer: string;
  readonly i: number;
  readonly seq: number;
  readonly eventHash: string;
}

async function writer(name: string, count: number, env: Record<string, string>): Promise<Ack[]> {
  const child = spawn(process.execPath, [SCRIPT, name, String(count)], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (data: Buffer) => (out += data.toString()));
  child.stderr.on("data", (data: Buffer) => (err += data.toString()));
  const status = await new Promise((resolve) => child.on("close", resolve));
  expect(status, err).toBe(0);
  return out
    .trimEnd()
    .split("\n")
    .map((line) => ({ writer: name, ...(JSON.parse(line) as Omit<Ack, "writer">) }));
}

/** Starts `processes` writer processes that append `each` events at once, then checks that the log holds exactly what they were told. */
export async function raceWriters(
  processes: number,
  each: number,
  env: Record<string, string>,
  store: EventStore,
): Promise<void> {
  const acks = (
    await Promise.all(Array.from({ length: processes }, (_, i) => writer(`w${String(i)}`, each, env)))
  ).flat();
  const report = await store.verify();
  expect(report.error).toBeUndefined();
  expect(report.events).toBe(processes * each);
  const stored: Ack[] = [];
  for await (const { aggregateId, payload, seq, eventHash } of store.read())
    stored.push({ writer: aggregateId, i: payload["i"] as number, seq, eventHash });
  expect(stored.map(({ seq }) => seq)).toEqual(Array.from({ length: processes * each }, (_, i) => i));
  expect(stored).toEqual(acks.sort((a, b) => a.seq - b.seq));
}
