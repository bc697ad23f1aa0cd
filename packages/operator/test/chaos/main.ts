// The chaos run as a command: scripts/test-chaos.mjs builds it, brings up the S3 server and starts it.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runChaos, type ChaosResult } from "./run.js";
import { realServer } from "./s3.js";

const HELP = `npm run test:chaos -- [--seed N] [--minutes M] [--changes N] [--emulator] [--batch] [--operator FILE]

Three operators, an API server and a bucket, and all that can go wrong with them; then checks what the log holds.
  --seed N      the same seed draws the same changes and faults; default: from the clock
  --minutes M   how long things go wrong; default 5
  --changes N   default 2000
  --emulator    the S3 emulator instead of the real server
  --batch       the operators put what waits into one object
  --operator F  rynxs-operator.js of another build: a broken one, to see that it is found out
`;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
    minutes: { type: "string", default: "5" },
    changes: { type: "string", default: "2000" },
    emulator: { type: "boolean", default: false },
    batch: { type: "boolean", default: false },
    operator: { type: "string" },
    help: { type: "boolean", short: "h", default: false },
  },
});

function number(name: "seed" | "minutes" | "changes", min: number): number {
  const value = Number(values[name]);
  if (Number.isFinite(value) && value >= min && (name === "minutes" || Number.isInteger(value))) return value;
  process.stderr.write(`--${name} is ${values[name]}\n\n${HELP}`);
  process.exit(1);
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function show({ verdicts, counts, figures }: ChaosResult): void {
  say("\nFaults and changes");
  for (const [name, count] of counts) say(`  ${String(count).padStart(6)}  ${name}`);
  say("\nFigures");
  for (const [name, figure] of Object.entries(figures)) say(`  ${name}: ${String(figure)}`);
  say("\nVerdicts");
  for (const { name, violations } of verdicts) {
    say(
      `  ${violations.length === 0 ? "ok    " : "FAILED"}  ${name}${violations.length > 0 ? `: ${String(violations.length)}` : ""}`,
    );
    for (const violation of violations.slice(0, 5)) say(`            ${violation}`);
  }
}

/** What happened, for whoever looks into it. */
function keep(folder: string, { evidence, verdicts, counts, figures }: ChaosResult): void {
  const lines = evidence.events.map((event) => JSON.stringify(event)).join("\n");
  writeFileSync(join(folder, "events.jsonl"), `${lines}\n`);
  writeFileSync(join(folder, "histories.json"), JSON.stringify(Object.fromEntries(evidence.histories), null, 1));
  writeFileSync(join(folder, "finals.json"), JSON.stringify(Object.fromEntries(evidence.finals), null, 1));
  writeFileSync(join(folder, "result.json"), JSON.stringify({ verdicts, counts, figures }, null, 1));
}

function tail(file: string, lines: number): string {
  return readFileSync(file, "utf8").trimEnd().split("\n").slice(-lines).join("\n");
}

async function main(): Promise<number> {
  if (values.help) {
    say(HELP.trimEnd());
    return 0;
  }
  const [seed, minutes, changes] = [number("seed", 0), number("minutes", 0.1), number("changes", 1)];
  const server = values.emulator ? null : realServer(process.env);
  mkdirSync(tmpdir(), { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), `rynxs-chaos-${String(seed)}-`));
  say(`seed ${String(seed)}: ${String(changes)} changes in ${String(minutes)} minutes; logs in ${folder}`);
  const onTerminal = process.stdout.isTTY;
  const result = await runChaos({
    seed,
    ms: minutes * 60_000,
    changes,
    server,
    root: process.cwd(),
    operator: values.operator,
    batch: values.batch,
    folder,
    short: minutes < 1.5,
    ...(onTerminal && { onProgress: (text) => void process.stdout.write(`\r\x1b[K${text}`) }),
  });
  if (onTerminal) process.stdout.write("\r\x1b[K");
  show(result);
  const failed = result.verdicts.filter(({ violations }) => violations.length > 0);
  if (failed.length === 0) {
    rmSync(folder, { recursive: true, force: true });
    say(`\nseed ${String(seed)}: all holds`);
    return 0;
  }
  keep(folder, result);
  for (const file of result.logFiles) say(`\n${file}, its end:\n${tail(file, 15)}`);
  say(`\nseed ${String(seed)}: FAILED: ${failed.map(({ name }) => name).join(", ")}. Logs and evidence: ${folder}`);
  return 1;
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(130));
process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(
    `the run itself failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return 1;
});
