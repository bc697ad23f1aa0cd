// Rounds: each measures every contender once, in an order that moves on by one, so that what drifts on the machine meets
// all of them, and a ratio is taken between neighbours.

import { NotInstalled } from "./not-installed.mjs";
import { progress } from "./progress.mjs";
import { rounded } from "./stats.mjs";

/**
 * @typedef {object} Contender
 * @property {string} id
 * @property {string} title
 * @property {boolean} [ours]
 * @property {string} [note] what a reader must know to be fair
 * @property {string} module its path in bench/
 * @property {string} open the export that makes it
 * @property {object | (() => Promise<object>)} [options]
 * @property {boolean} [fresh] a new process for each measurement
 *
 * @typedef {{ contender: Contender, skipped?: string, rounds: (Record<string, number> | null)[] }} Measured
 */

/** @param {Contender[]} contenders @returns {Promise<Measured[]>} */
export async function measureRounds(contenders, rounds, context, label) {
  const entries = [];
  try {
    // Tiny runs measure nothing, so they need not take turns in starting.
    if (context.smoke) entries.push(...(await Promise.all(contenders.map((contender) => prepare(contender, context)))));
    else
      for (const contender of contenders) {
        progress.show(`${label}: opening ${contender.title} …`);
        entries.push(await prepare(contender, context));
      }
    const running = entries.filter(({ skipped }) => skipped === undefined);
    for (let round = 0; round < rounds; round++) {
      for (let k = 0; k < running.length; k++) {
        const entry = running[(k + round) % running.length];
        progress.show(`${label}: round ${round + 1} of ${rounds}, ${entry.contender.title} …`);
        const metrics = Object.entries(await entry.measure());
        entry.rounds[round] = Object.fromEntries(metrics.map(([name, value]) => [name, rounded(value)]));
      }
    }
  } finally {
    for (const { close } of entries) await close?.();
    progress.clear();
  }
  return entries;
}

/** A missing program or package leaves this contender out; every other trouble ends the run. */
async function prepare(contender, context) {
  const entry = { contender, rounds: [] };
  try {
    const options = typeof contender.options === "function" ? await contender.options() : contender.options;
    const what = { module: contender.module, open: contender.open, options };
    if (contender.fresh) return { ...entry, measure: () => measureFresh(what, context), close: () => undefined };
    const child = await context.child(what);
    return { ...entry, measure: () => child.call("measure"), close: child.close };
  } catch (error) {
    if (!(error instanceof NotInstalled)) throw error;
    return { ...entry, skipped: error.message };
  }
}

async function measureFresh(what, context) {
  const child = await context.child(what);
  try {
    return await child.call("measure");
  } finally {
    await child.close();
  }
}
