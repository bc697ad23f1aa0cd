import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ROOT, runChaos } from "./run.js";
import { realServer } from "./s3.js";

const today = Math.floor(Date.now() / 86_400_000);

/**
 * The short form of `npm run test:chaos`: on the real S3 server where the environment names one. What fails can be run again with
 * `npm run test:chaos -- --seed N --minutes 0.3 --changes 250` (`--batch`).
 */
it.each([
  { batch: false, seed: 20_261_124, which: "a seed that stays" },
  { batch: true, seed: today, which: "the day's seed" },
])(
  "three operators, everything fails, and the log is right: $which, $seed, batch: $batch",
  async ({ seed, batch }) => {
    const folder = mkdtempSync(join(tmpdir(), "rynxs-chaos-test-"));
    const server = realServer(process.env);
    const { verdicts, figures, counts } = await runChaos({
      seed,
      ms: 18_000,
      changes: 250,
      server,
      root: ROOT,
      folder,
      batch,
      short: true,
    });
    const broken = verdicts.filter(({ violations }) => violations.length > 0);
    const told = JSON.stringify({ figures, counts: Object.fromEntries(counts) });
    expect(broken, `seed ${String(seed)}, logs in ${folder}: ${told}`).toEqual([]);
    expect(figures).toMatchObject({ changes: 250 });
    // It did go wrong: leaders changed, and both servers failed.
    expect(Number(figures["epochs"]), told).toBeGreaterThan(1);
    const failed = (of: string): number => counts.filter(([name]) => name.startsWith(of)).length;
    expect([failed("API: ") > 3, failed("S3: ") > 3], told).toEqual([true, true]);
    rmSync(folder, { recursive: true, force: true });
  },
  180_000,
);
