/** A thread that verifies runs, one after the other, as they are sent to it. */

import { parentPort } from "node:worker_threads";
import { answerRun, type Run } from "./run.js";

const port = parentPort;
/** Answers go out in the order of the questions. */
let last: Promise<void> = Promise.resolve();
port?.on("message", (run: Run) => {
  last = last.then(async () => {
    port.postMessage(await answerRun(run));
  });
});
