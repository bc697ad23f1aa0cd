// A gateway of its own for one run of the tests: in a temporary directory, wiped at the end whatever happens.

import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("rgw.sh", import.meta.url));
const programs = ["radosgw", "radosgw-admin", "ceph", "ceph-mon", "ceph-osd", "monmaptool", "curl"];

export const INSTALL_LINE = "apt-get install -y --no-install-recommends radosgw ceph-mon ceph-osd curl openssl";

/** The gateway's programs that are not installed. */
export function missingPrograms() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return programs.filter((name) => !folders.some((folder) => isExecutable(join(folder, name))));
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Starts a gateway with one bucket. `store`: `memstore`, or `bluestore`, which is on the disk.
 * @returns {{ process: ChildProcess, started: Promise<Record<string, string>>, wipe: () => void }} `started`: the variables
 *   that reach it, or a rejection with the script's own words. `process`: what is starting it, ends by a signal.
 *   `wipe`: ends and removes it, once `process` has ended.
 */
export function startGateway(bucket, { store = "memstore" } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "rynxs-rgw-"));
  const starting = spawn("bash", [script, "start", folder, "--bucket", bucket, "--store", store], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  starting.stderr.on("data", (chunk) => (said += String(chunk)));
  const started = new Promise((resolve, reject) => {
    starting.on("error", reject);
    starting.on("close", (code) => {
      if (code === 0) resolve(readVariables(join(folder, "env")));
      else reject(new Error(said.trim()));
    });
  });
  const wipe = () => {
    spawnSync("bash", [script, "wipe", folder], { stdio: "ignore" });
    rmSync(folder, { recursive: true, force: true });
  };
  return { process: starting, started, wipe };
}

function readVariables(file) {
  const lines = readFileSync(file, "utf8").matchAll(/^export (\w+)=(.*)$/gm);
  return Object.fromEntries([...lines].map(([, name, value]) => [name, value]));
}
