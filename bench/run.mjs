// npm run bench: see --help, and bench/README.md.

import { Cleanup } from "./lib/cleanup.mjs";
import { Context } from "./lib/context.mjs";
import { describeMachine, machineLine } from "./lib/machine.mjs";
import { HELP, readOptions } from "./lib/options.mjs";
import { progress } from "./lib/progress.mjs";
import { drawAll, makeReport, saveReport } from "./lib/report.mjs";
import { evaluate } from "./lib/results.mjs";
import { measureRounds } from "./lib/rounds.mjs";
import { scenarioTable } from "./lib/table.mjs";
import { SCENARIOS } from "./scenarios/index.mjs";

const DEFAULT_ROUNDS = 5;

async function runScenario(scenario, options, context, machine) {
  const start = performance.now();
  const rounds = options.rounds ?? (options.smoke ? 1 : (scenario.rounds ?? DEFAULT_ROUNDS));
  const { about, contenders, rows } = await scenario.plan(context);
  const measured = await measureRounds(contenders, rounds, context, scenario.name);
  const seconds = (performance.now() - start) / 1000;
  return makeReport({
    scenario,
    rows: evaluate(rows, measured, { judge: !options.smoke }),
    measured,
    rounds,
    options,
    machine,
    about,
    seconds,
  });
}

async function main(options, cleanup) {
  const scenarios = chosen(options.names);
  const context = new Context(options, cleanup);
  const machine = await describeMachine(context.temp);
  const reports = [];
  if (!options.json) console.log(`${machineLine(machine)}\n`);
  for (const scenario of scenarios) {
    try {
      const report = await runScenario(scenario, options, context, machine);
      reports.push(report);
      if (!options.json) console.log(scenarioTable(report));
      if (!options.smoke) saveReport(report);
    } catch (error) {
      if (interrupted) return;
      progress.clear();
      console.error(`${scenario.name} failed: ${error instanceof Error ? error.message : String(error)}\n`);
      process.exitCode = 1;
    }
  }
  if (!options.smoke) drawAll(SCENARIOS.map(({ name }) => name));
  if (options.json) console.log(JSON.stringify(reports, null, 2));
}

function chosen(names) {
  const unknown = names.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown.length > 0)
    throw new Error(
      `no scenario is named ${unknown.join(", ")}; there are: ${SCENARIOS.map(({ name }) => name).join(", ")}`,
    );
  return SCENARIOS.filter(({ name }) => names.length === 0 || names.includes(name));
}

const cleanup = new Cleanup();
let interrupted = false;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.once(signal, () => {
    interrupted = true;
    progress.clear();
    console.error("interrupted; cleaning up");
    void cleanup.run().then(() => process.exit(130));
  });
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) console.log(HELP);
  else if (options.charts) drawAll(SCENARIOS.map(({ name }) => name));
  else await main(options, cleanup);
} catch (error) {
  // What fails once the servers are being stopped is no news.
  if (!interrupted) {
    progress.clear();
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
await cleanup.run();
