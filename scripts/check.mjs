// npm run check [-- names]: everything that can be said about the code without running it. One line a check; what a check
// printed is shown when it fails.

import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";

const cruise = [
  "depcruise",
  "--config",
  ".dependency-cruiser.cjs",
  "packages/event-store/src",
  "packages/operator/src",
  "packages/cli/src",
];

// The build comes first: the other checks read the types that it writes.
const checks = [
  ["types", ["tsc", "-b"]],
  ["build", ["node", "scripts/bundle.mjs"]],
  ["test types", ["tsc", "-p", "tsconfig.test.json"]],
  ["format", ["prettier", "--check", "--log-level", "warn", "."]],
  ["lint", ["eslint", ".", "--max-warnings", "0"]],
  ["layers", cruise],
  ["dead code", ["knip"]],
  ["packages", ["node", "scripts/check-packages.mjs"]],
  ["words", ["node", "scripts/check-words.mjs"]],
];

const path = join(process.cwd(), "node_modules", ".bin") + delimiter + process.env.PATH;

function run([program, ...args]) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { env: { ...process.env, PATH: path }, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("error", (error) => resolve({ ok: false, output: String(error) }));
    child.on("close", (code) => resolve({ ok: code === 0, output }));
  });
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !checks.some(([known]) => known === name));
if (unknown.length > 0) {
  console.error(`no check is named ${unknown.join(", ")}; there are: ${checks.map(([name]) => name).join(", ")}`);
  process.exit(1);
}

for (const [name, command] of checks.filter(([name]) => wanted.length === 0 || wanted.includes(name))) {
  const start = performance.now();
  const { ok, output } = await run(command);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${ok ? "ok    " : "FAILED"}  ${name.padEnd(10)} ${seconds.padStart(5)} s`);
  if (ok) continue;
  console.log(`\n$ ${command.join(" ")}\n${output.trim()}\n`);
  process.exitCode = 1;
}
