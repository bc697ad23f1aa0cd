import type { Ending, Replica } from "./replica.js";
import type { Verdict } from "./verdict.js";

/** Most that a process may have, bytes. */
const MAX_RSS = 250e6;

/** How the processes behaved, whatever they wrote. */
export function processVerdicts(
  replicas: readonly Pick<Replica, "name" | "endings" | "oddities" | "peakRss">[],
): readonly Verdict[] {
  return [
    { name: "processes end well", violations: replicas.flatMap(({ endings }) => endings.filter(isBad).map(said)) },
    { name: "nothing odd in their logs", violations: replicas.flatMap(({ oddities }) => oddities) },
    {
      name: "memory",
      violations: replicas
        .filter(({ peakRss }) => peakRss >= MAX_RSS || peakRss === 0)
        .map(({ name, peakRss }) =>
          peakRss === 0 ? `${name} was never measured` : `${name} had ${String(peakRss)} bytes`,
        ),
    },
  ];
}

/** After SIGTERM a process ends with 0; by itself it does not end at all. */
function isBad({ by, code, signal, begun }: Ending): boolean {
  if (by === "SIGTERM") return code !== 0 && (begun || signal !== "SIGTERM");
  return by === "nobody";
}

function said({ process, code, signal, by }: Ending): string {
  return `${process} ended with ${String(code ?? signal)}, ${by === "nobody" ? "by itself" : `after ${by}`}`;
}
