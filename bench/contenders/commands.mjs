// A command from its start to its end. bash's `time` tells the CPU time of a child, which Node cannot.

import { run } from "../lib/programs.mjs";

/** @param {{ command: string[] }} options */
export async function time({ command }) {
  const args = ["-c", 'TIMEFORMAT="times %R %U %S"; time "$@" >/dev/null', "bash", ...command];
  const once = async () => {
    const printed = await run("bash", args, { env: { ...process.env, NODE_OPTIONS: "" } });
    const times = /times (\S+) (\S+) (\S+)/.exec(printed);
    if (times === null) throw new Error(`no times in ${printed}`);
    return { wallMs: Number(times[1]) * 1000, cpuMs: (Number(times[2]) + Number(times[3])) * 1000 };
  };
  await once();
  return { measure: once };
}
