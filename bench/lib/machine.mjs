import { mkdtempSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { median } from "./stats.mjs";

/** What the figures were measured on. `fdatasyncMs`: median of 100 appends of 512 bytes, each synced. */
export async function describeMachine(tempDir) {
  const cores = cpus();
  return {
    cpu: cores[0]?.model.trim() ?? "unknown",
    cores: cores.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: `${type()} ${release()}`,
    node: process.version,
    fdatasyncMs: Number((await fdatasyncMs(tempDir)).toFixed(3)),
  };
}

export const machineLine = ({ cpu, cores, memoryGb, kernel, node, fdatasyncMs }) =>
  `${cpu}, ${cores} cores, ${memoryGb} GB, ${kernel}, Node ${node}, fdatasync ${fdatasyncMs} ms`;

async function fdatasyncMs(tempDir) {
  const folder = mkdtempSync(join(tempDir, "sync-"));
  const file = await open(join(folder, "file"), "a");
  const bytes = Buffer.alloc(512, "x");
  const times = [];
  for (let i = 0; i < 100; i++) {
    await file.write(bytes);
    const start = performance.now();
    await file.datasync();
    times.push(performance.now() - start);
  }
  await file.close();
  rmSync(folder, { recursive: true });
  return median(times);
}
