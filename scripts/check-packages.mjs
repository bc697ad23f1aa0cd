// Packs the packages and looks at the tarballs as their users get them: manifest, entries and types.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const scratch = mkdtempSync(join(tmpdir(), "rynxs-pack-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

function pack(workspace) {
  const args = ["pack", "--json", "--ignore-scripts", "--workspace", workspace, "--pack-destination", scratch];
  const [{ filename }] = JSON.parse(
    execFileSync("npm", args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }),
  );
  return join(scratch, filename);
}

function check(tool, ...args) {
  const { status } = spawnSync(join("node_modules", ".bin", tool), args, { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}

const library = pack("@rynxs/event-store");
const operator = pack("@rynxs/operator");
const commandLine = pack("rynxs");
check("publint", library, "--strict");
check("publint", operator, "--strict");
check("publint", commandLine, "--strict");
// The command line has no entries to import, so it has no types to check.
check("attw", library, "--profile", "esm-only");
check("attw", operator, "--profile", "esm-only");
