// A module's object in a process of its own, so that contenders and servers share no heap, no JIT and no event loop.
// The module exports functions that take options and give an object; its methods are called over IPC.

import { fork } from "node:child_process";
import { NotInstalled } from "./not-installed.mjs";

const entry = new URL("child-process.mjs", import.meta.url);
// AWS's client says in each process that it will want a newer Node one day.
const env = { ...process.env, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" };

/**
 * @param {{ module: string, open: string, options?: object }} what `module`: its path in bench/; `open`: the export that
 *   makes the object
 * @param {import("./cleanup.mjs").Cleanup} cleanup
 */
export async function openChild({ module, open, options = {} }, cleanup) {
  const child = fork(entry, { stdio: ["ignore", 2, 2, "ipc"], execArgv: [], env });
  const waiting = new Map();
  let calls = 0;
  child.on("message", ({ id, result, error }) => {
    const call = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) call?.resolve(result);
    else call?.reject(error.notInstalled ? new NotInstalled(error.message) : new Error(error.message));
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.once("exit", (code, signal) => {
    for (const { reject } of waiting.values()) reject(new Error(`${module} ended (${signal ?? code})`));
    waiting.clear();
  });
  child.on("error", () => undefined);
  const call = (method, ...args) =>
    new Promise((resolve, reject) => {
      const id = calls++;
      waiting.set(id, { resolve, reject });
      if (!child.connected) reject(new Error(`${module} has ended`));
      else child.send({ id, method, args });
    });
  const kill = async () => {
    child.kill("SIGKILL");
    await ended;
  };
  const forget = cleanup.add(kill);
  const close = async () => {
    await call("close").catch(() => undefined);
    await kill();
    forget();
  };
  try {
    const facts = await call("open", module, open, options);
    return { call, close, facts, pid: child.pid };
  } catch (error) {
    await kill();
    forget();
    throw error;
  }
}
