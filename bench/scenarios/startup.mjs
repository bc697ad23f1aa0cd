// The command line, from its start to its end.

import { cliPath } from "../lib/library.mjs";

export const scenario = {
  name: "startup",
  title: "start of the command line",
  rounds: 20,
  async plan(context) {
    const events = context.size(1_000_000, 10_000);
    const contender = (id, title, command, ours) => ({
      id,
      title,
      ours,
      module: "contenders/commands.mjs",
      open: "time",
      options: async () => ({ command: [process.execPath, ...(await command())] }),
    });
    const titles = { node: "node -e 0", version: "rynxs --version", head: "rynxs head, of a file" };
    const value = (id, metric, unit) => ({
      id: `${id}-${unit}`,
      title: `${titles[id]}, ${unit}`,
      of: `${id}.${metric}`,
      unit: "ms",
    });
    const ratio = (id, metric, unit) => ({
      id: `${id}-${unit}-ratio`,
      title: `${titles[id]} ÷ node -e 0, ${unit}`,
      of: `${id}.${metric}`,
      over: `node.${metric}`,
    });
    const kinds = [
      ["wallMs", "wall"],
      ["cpuMs", "CPU"],
    ];
    return {
      about: `The file has ${events.toLocaleString("en")} events. CPU is user and system time.`,
      contenders: [
        contender("node", titles.node, () => ["-e", "0"]),
        contender("version", titles.version, () => [cliPath, "--version"], true),
        contender(
          "head",
          titles.head,
          async () => [cliPath, "head", "--store", `file:${await context.log(events)}`],
          true,
        ),
      ],
      rows: [
        ...kinds.flatMap(([metric, unit]) => ["node", "version", "head"].map((id) => value(id, metric, unit))),
        ...kinds.flatMap(([metric, unit]) => ["version", "head"].map((id) => ratio(id, metric, unit))),
      ],
    };
  },
  chart: [
    {
      title: "Start of the command line",
      unit: "ms, wall",
      less: true,
      rows: ["node-wall", "version-wall", "head-wall"],
    },
  ],
};
