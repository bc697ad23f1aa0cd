import type { Runtime } from "@rynxs/event-store";
import { Elector } from "../election/elector.js";
import { LeaseLock } from "../election/lease-lock.js";
import { LeadershipLostError, type Leadership } from "../election/port.js";
import type { KubeApi } from "../kube/port.js";
import type { OperatorConfig } from "./environment.js";
import { errorFields, type Logger } from "./logging.js";
import type { Metrics } from "./metrics.js";
import type { Readiness } from "./readiness.js";

export interface LeadingOptions {
  readonly config: OperatorConfig;
  readonly api: KubeApi;
  /** Of the Lease. */
  readonly namespace: string;
  readonly holder: string;
  readonly runtime: Runtime;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly readiness: Readiness;
}

/** Runs `lead` whenever this replica leads, until the signal aborts. */
export function leadInTurn(
  options: LeadingOptions,
  signal: AbortSignal,
  lead: (leadership: Leadership) => Promise<void>,
): Promise<void> {
  const { config, api, namespace, holder, runtime, metrics, logger, readiness } = options;
  const { leaseName, enabled, ...times } = config.election;
  const failed = (error: unknown): void => {
    metrics.electionFailures.inc();
    if (error instanceof LeadershipLostError) logger.error(errorFields(error), "deposed; appends no more");
    else readiness.troubled(error, "the leadership or its lease failed");
  };
  const leadMarked = (leadership: Leadership): Promise<void> => lead(leadership).finally(() => metrics.leads.set(0));
  if (!enabled) return alwaysLead(options, signal, leadMarked, failed);
  const lock = new LeaseLock(api, { namespace, name: leaseName }, times.retryPeriodMs);
  const elector = new Elector(lock, {
    holder,
    ...times,
    runtime,
    on: {
      failed,
      holder: (leader) => {
        metrics.transitions.inc();
        logger.info({ leader }, leader === "" ? "nobody leads" : "another leader");
      },
      lost: () => {
        metrics.leads.set(0);
        metrics.electionFailures.inc();
        logger.error({ holder }, "lost the lease; appends no more");
      },
    },
  });
  return elector.run(signal, leadMarked);
}

/** Without election the log still has one leader at a time: the one that took over last. */
async function alwaysLead(
  { config, namespace, holder, runtime }: LeadingOptions,
  signal: AbortSignal,
  lead: (leadership: Leadership) => Promise<void>,
  failed: (error: unknown) => void,
): Promise<void> {
  const lease = `${namespace}/${config.election.leaseName}`;
  const leadership = { holder, lease, transitions: 0, signal: NEVER, valid: () => true };
  while (!signal.aborted) {
    await lead(leadership).catch(failed);
    await runtime.sleep(config.election.retryPeriodMs, signal);
  }
}

const NEVER = new AbortController().signal;
