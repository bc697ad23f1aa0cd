// npm run test:chaos [-- --seed N --minutes M --changes N --emulator --batch]: builds, brings up the real S3 server where it can, and lets three
// operators, an API server and the bucket go wrong for five minutes. What must hold in the end: packages/operator/test/chaos/checker.ts.
//
//   RYNXS_TEST_S3_ENDPOINT   against this server (with RYNXS_TEST_S3_BUCKET and the usual AWS_ variables)
//   CI=true                  without a real server, unless --emulator is given, it fails

import { spawn } from "node:child_process";
import { join } from "node:path";
import { rolldown } from "rolldown";
import { INSTALL_LINE, missingPrograms, startGateway } from "./rgw.mjs";

const BUCKET = "rynxs-test";
const args = process.argv.slice(2);
const cleanUps = [];
let running;
let interrupted = false;

process.on("exit", () => cleanUps.forEach((cleanUp) => cleanUp()));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    interrupted = true;
    if (running) running.kill(signal);
    else process.exit(130);
  });
}

function run(program, programArgs, env = process.env) {
  return new Promise((resolve, reject) => {
    running = spawn(program, programArgs, { stdio: "inherit", env });
    running.on("error", reject);
    running.on("close", (code) => {
      running = undefined;
      if (interrupted) process.exit(130);
      resolve(code ?? 1);
    });
  });
}

/** The variables that reach a real server; null: the emulator will do. */
async function realServer() {
  if (args.includes("--emulator") || args.includes("--help") || args.includes("-h")) return {};
  if (process.env.RYNXS_TEST_S3_ENDPOINT) return { RYNXS_TEST_S3_BUCKET: process.env.RYNXS_TEST_S3_BUCKET ?? BUCKET };
  const missing = missingPrograms();
  if (missing.length > 0) {
    console.log(`On the S3 emulator: not installed: ${missing.join(", ")}. On Debian as root: ${INSTALL_LINE}`);
    if (process.env.CI !== "true") return {};
    console.error("Here the real S3 server is required (CI=true).");
    process.exit(1);
  }
  const gateway = startGateway(BUCKET);
  cleanUps.unshift(gateway.wipe);
  running = gateway.process;
  const { S3_ENDPOINT, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = await gateway.started;
  running = undefined;
  const credentials = { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY };
  return { RYNXS_TEST_S3_ENDPOINT: S3_ENDPOINT, RYNXS_TEST_S3_BUCKET: BUCKET, ...credentials };
}

/** The run is written in TypeScript, which Node 20 does not read. */
async function bundled() {
  const file = "node_modules/.cache/rynxs-chaos/main.js";
  const bundle = await rolldown({
    input: "packages/operator/test/chaos/main.ts",
    platform: "node",
    external: /^[^./]/,
    resolve: { extensionAlias: { ".js": [".ts", ".js"] } },
    logLevel: "warn",
  });
  await bundle.write({ file, format: "esm" });
  await bundle.close();
  return file;
}

const tsc = join("node_modules", ".bin", "tsc");
if ((await run(tsc, ["-b"])) !== 0 || (await run(process.execPath, ["scripts/bundle.mjs"])) !== 0) process.exit(1);
const file = await bundled();
const server = await realServer();
if (interrupted) process.exit(130);
process.exitCode = await run(process.execPath, [file, ...args], { ...process.env, ...server });
