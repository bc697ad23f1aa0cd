/** A thread that verifies runs, one after the other, as they are sent to it. */

import { open } from "node:fs/promises";
import { parentPort } from "node:worker_threads";
import { verifyRun, type Run } from "./run.js";

const port = parentPort;
port?.on("message", (run: Run) => {
  void answer(run).then((report) => {
    port.postMessage(report);
  });
});

/** Null when it cannot be read: whoever walks the log in order will meet that too, and say so. */
async function answer(run: Run): Promise<unknown> {
  try {
    const file = await open(run.path, "r");
    try {
      return await verifyRun(file, run);
    } finally {
      await file.close();
    }
  } catch {
    return null;
  }
}
