// PostgreSQL as Debian ships it, durable: fsync and synchronous_commit are on, as they are by default.

import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { NotInstalled } from "./not-installed.mjs";
import { eventually, findProgram, freePort, postgresFolders, run, startServer } from "./programs.mjs";

const INSTALL = "apt-get install -y --no-install-recommends postgresql";

/** @returns {Promise<{ url: string, about: string }>} */
export async function startPostgres(tempDir, cleanup) {
  const [initdb, postgres, psql] = ["initdb", "postgres", "psql"].map((name) => findProgram(name, postgresFolders()));
  if (initdb === undefined || postgres === undefined) throw new NotInstalled(`not installed: postgresql; ${INSTALL}`);
  const folder = join(tempDir, "postgresql");
  mkdirSync(folder);
  const wrap = await unprivileged(folder, tempDir);
  const data = join(folder, "data");
  await run(...wrap(initdb, ["-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]), {
    cwd: folder,
  });
  const port = await freePort();
  const settings = { listen_addresses: "127.0.0.1", port, unix_socket_directories: folder, max_connections: 300 };
  const durable = { fsync: "on", synchronous_commit: "on", shared_buffers: "256MB" };
  const flags = Object.entries({ ...settings, ...durable }).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  // SIGINT is its fast shutdown.
  const server = startServer(...wrap(postgres, ["-D", data, ...flags]), "SIGINT", { cwd: folder });
  cleanup.add(server.stop);
  const url = `postgresql://bench@127.0.0.1:${port}/postgres`;
  await eventually(() => run(psql ?? "psql", ["-X", "-c", "select 1", url]), "PostgreSQL");
  const about = (await run(postgres, ["--version"])).trim();
  return { url, about };
}

/** It refuses to run as root: then a user is lent to it, and the folder with it. */
async function unprivileged(folder, tempDir) {
  if (process.getuid?.() !== 0) return (program, args) => [program, args];
  const setpriv = findProgram("setpriv");
  if (setpriv === undefined) throw new NotInstalled("not installed: setpriv; apt-get install -y util-linux");
  const user = await run("id", ["-u", "postgres"]).then(
    () => "postgres",
    () => "nobody",
  );
  const group = (await run("id", ["-gn", user])).trim();
  chmodSync(tempDir, 0o711);
  await run("chown", [`${user}:${group}`, folder]);
  return (program, args) => [setpriv, [`--reuid=${user}`, `--regid=${group}`, "--clear-groups", program, ...args]];
}
