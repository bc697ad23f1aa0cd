import { parseArgs } from "node:util";

export const HELP = `npm run bench -- [NAME...] [--rounds N] [--events N] [--smoke] [--json] [--help]

Measures the packages' build side by side with what it is compared with: in rounds, each round one measurement of every
contender, in turn. Ratios are of measurements of the same round.

  NAME        scenarios to run; default: all
  --rounds N  rounds; default: 5 (memory, scale-verify, long-scale, long-compact, live, operator, trust: 3; startup: 20)
  --events N  events per measurement, instead of the scenario's own number
  --smoke     tiny sizes, one round, no server but the emulator, nothing is kept: does the suite work?
  --json      prints the results as one JSON document instead of tables
  --charts    only draws results/bench.svg, and writes the tables of docs/PERFORMANCE.md, from results/*.json

Results are kept in bench/results/NAME.json, the chart of all of them in bench/results/bench.svg; a run with --events or
--rounds is kept too, and its file says so. Peers are installed with npm run bench:peers; one that is not there is left out.
A full run takes about half an hour. Ctrl-C stops it and removes what it started.
`;

/**
 * @typedef {{ names: string[], rounds?: number, events?: number, smoke: boolean, json: boolean, help: boolean, charts: boolean }} Options
 * @returns {Options} @throws Error with a line for the user
 */
export function readOptions(args) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      rounds: { type: "string" },
      events: { type: "string" },
      smoke: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      charts: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const { rounds, events, ...flags } = values;
  return { names: positionals, ...flags, rounds: positive(rounds, "--rounds"), events: positive(events, "--events") };
}

function positive(text, name) {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new Error(`${name} takes a positive whole number, not ${text}`);
}
