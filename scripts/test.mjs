// npm test [-- filters and options of vitest]: builds, brings up the real S3 server where it can, runs the tests, and ends
// with one line of counts.
//
//   RYNXS_TEST_S3_ENDPOINT   test against this server (with RYNXS_TEST_S3_BUCKET and the usual AWS_ variables)
//   RYNXS_REQUIRE_S3=1       a run without a real server is a failure, as with CI=true

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { INSTALL_LINE, missingPrograms, startGateway } from "./rgw.mjs";

const BUCKET = "rynxs-test";
const scratch = mkdtempSync(join(tmpdir(), "rynxs-test-"));
const countsFile = join(scratch, "counts.json");
const cleanUps = [() => rmSync(scratch, { recursive: true, force: true })];
let running;
let interrupted;

process.on("exit", () => cleanUps.forEach((cleanUp) => cleanUp()));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    interrupted = signal;
    if (running) running.kill(signal);
    else process.exit(130);
  });
}

const tool = (name) => join("node_modules", ".bin", name);

function run(program, args, env = process.env) {
  return new Promise((resolve, reject) => {
    running = spawn(program, args, { stdio: "inherit", env });
    running.on("error", reject);
    running.on("close", (code) => {
      running = undefined;
      if (interrupted) process.exit(130);
      resolve(code ?? 1);
    });
  });
}

/** The variables that reach a real server, or why there is none. */
async function realServer() {
  const { RYNXS_TEST_S3_ENDPOINT: endpoint, RYNXS_TEST_S3_BUCKET: bucket = BUCKET } = process.env;
  if (endpoint) return { env: { RYNXS_TEST_S3_BUCKET: bucket } };
  const missing = missingPrograms();
  if (missing.length > 0) {
    const remedy = `To run them too, on Debian as root:\n  ${INSTALL_LINE} && npm test`;
    return { reason: `not installed: ${missing.join(", ")}`, remedy };
  }
  const gateway = startGateway(BUCKET);
  cleanUps.unshift(gateway.wipe);
  running = gateway.process;
  try {
    const { S3_ENDPOINT, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION } = await gateway.started;
    return {
      env: {
        RYNXS_TEST_S3_ENDPOINT: S3_ENDPOINT,
        RYNXS_TEST_S3_BUCKET: BUCKET,
        AWS_ACCESS_KEY_ID,
        AWS_SECRET_ACCESS_KEY,
        AWS_REGION,
        // whoever runs this may be logged in to AWS
        AWS_SESSION_TOKEN: undefined,
        AWS_PROFILE: undefined,
      },
    };
  } catch (error) {
    return { reason: `it did not start\n${error.message}`, remedy: "To see why: npm run s3:start" };
  } finally {
    running = undefined;
  }
}

function readCounts() {
  try {
    return JSON.parse(readFileSync(countsFile, "utf8"));
  } catch {
    return { passed: 0, failed: 0, skipped: 0 };
  }
}

if ((await run(tool("tsc"), ["-b"])) !== 0 || (await run(process.execPath, ["scripts/bundle.mjs"])) !== 0) {
  console.error("\nThe build failed, so no test was run.");
  console.log("0 passed, 1 failed");
  process.exit(1);
}

const server = await realServer();
if (interrupted) process.exit(130);
const required = process.env.CI === "true" || process.env.RYNXS_REQUIRE_S3 === "1";
const exitCode = await run(
  tool("vitest"),
  ["run", "--reporter=default", "--reporter=./scripts/count-reporter.mjs", ...process.argv.slice(2)],
  { ...process.env, ...server.env, RYNXS_TEST_COUNTS: countsFile },
);

const { passed, failed, skipped } = readCounts();
let ok = exitCode === 0 && failed === 0;
if (server.reason) {
  console.log(`Not run: the tests against a real S3 server (Ceph RADOS Gateway); ${server.reason}`);
  console.log(`${server.remedy}\n`);
  if (required) {
    console.log("Here they are required (CI=true or RYNXS_REQUIRE_S3=1), so this run failed.\n");
    ok = false;
  }
}
if (passed + failed === 0) {
  console.log("No test was run.\n");
  ok = false;
}
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exitCode = ok ? 0 : 1;
