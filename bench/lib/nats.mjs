import { connect } from "node:net";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { NotInstalled } from "./not-installed.mjs";
import { eventually, findProgram, freePort, run, startServer } from "./programs.mjs";

/** A NATS server with JetStream on files. @returns {Promise<{ server: string, about: string }>} */
export async function startNats(tempDir, cleanup) {
  const program = findProgram("nats-server");
  if (program === undefined) throw new NotInstalled("not installed: nats-server; apt-get install -y nats-server");
  const folder = join(tempDir, "nats");
  mkdirSync(folder);
  const port = await freePort();
  const server = startServer(program, ["-js", "-sd", folder, "-a", "127.0.0.1", "-p", String(port)]);
  cleanup.add(server.stop);
  const knock = () =>
    new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy();
        resolve();
      });
      socket.once("error", reject);
    });
  await eventually(knock, "nats-server");
  return { server: `127.0.0.1:${port}`, about: (await run(program, ["--version"])).trim() };
}
