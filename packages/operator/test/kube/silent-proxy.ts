import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface SilentProxy {
  readonly port: number;
  readonly connections: () => number;
  /** From now on nothing passes on the connections there are, and nobody is told; new ones work. */
  readonly silence: () => void;
  readonly close: () => Promise<void>;
}

/** A network that can lose connections without a word, as a firewall that forgot them. */
export async function silentProxy(target: number): Promise<SilentProxy> {
  const pairs: Socket[][] = [];
  let connections = 0;
  const server = createServer((near) => {
    connections++;
    const far = connect(target, "127.0.0.1");
    pairs.push([near, far]);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
    }
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    silence: () => {
      for (const [near, far] of pairs) {
        near?.unpipe();
        far?.unpipe();
        near?.pause();
        far?.pause();
      }
    },
    close: async () => {
      for (const socket of pairs.flat()) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}
