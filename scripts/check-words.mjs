// What no file of the project may contain: hosts of package registries (the lock file and the docs work with any mirror)
// and paths of somebody's machine.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

const unwanted = [
  /\b(registry\.|www\.)?(npmjs|yarnpkg)\.(com|org)\b/i,
  /\b(jsr\.io|pypi\.org|pythonhosted\.org|crates\.io|rubygems\.org|proxy\.golang\.org)\b/i,
  /\b(deb|security|snapshot)\.debian\.org\b/i,
  /(^|[^\w.])\/(work|root)\//,
  /(^|[^\w.])\/(home|Users)\/\w+\//,
];

const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
  encoding: "utf8",
});
let found = 0;
for (const file of new Set(listed.split("\0"))) {
  const bytes = read(file);
  if (bytes === undefined || bytes.includes(0)) continue;
  for (const [index, line] of bytes.toString("utf8").split("\n").entries()) {
    const match = unwanted.map((pattern) => pattern.exec(line)?.[0]).find((text) => text !== undefined);
    if (match === undefined) continue;
    console.error(`${file}:${index + 1}: ${match.trim()}`);
    found += 1;
  }
}
if (found > 0) process.exitCode = 1;

/** Undefined for what is no file (any more). */
function read(file) {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}
