import type { EventStore, Runtime } from "@rynxs/event-store";
import { eventTypeOf, type Subject } from "../record/observation.js";
import type { RecorderEvents } from "../record/recorder.js";
import type { RecordedAt } from "../report/kube-writes.js";
import type { Reporter } from "../report/reporter.js";
import type { OperatorConfig } from "./environment.js";
import { errorFields, traceOf, type Logger } from "./logging.js";
import type { Metrics } from "./metrics.js";

export interface ReportsOptions {
  readonly config: OperatorConfig;
  readonly store: EventStore;
  readonly reporter: Reporter;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly runtime: Runtime;
}

/** What is said of what the recorder did: in metrics, in the log of this process, and on the objects. */
export function reportsOf(options: ReportsOptions): Pick<RecorderEvents, "recorded" | "unreported" | "refused"> {
  const { config, store, reporter, metrics, logger, runtime } = options;
  const writesStatus = ({ resource }: Subject): boolean =>
    resource.hasStatus && config.watch.some((entry) => entry.status && entry.resource === resource.name);
  return {
    recorded: (observation, logged) => {
      const { key, subject, status: seen, payload, at } = observation;
      const type = eventTypeOf(observation);
      metrics.reconcile.observe({ resource_type: subject.resource.plural }, (runtime.elapsed() - at) / 1000);
      logger.info({ ...traceOf(subject), type, seq: logged.seq, event_hash: logged.eventHash }, "recorded");
      const report = { subject, seen, at: { type, ...logged } };
      if (payload !== null && writesStatus(subject)) reporter.status(key, report);
      if (config.kubernetesEvents && !isEvent(subject)) reporter.event(key, report);
    },
    unreported: ({ key, subject, status: seen }, seq) => {
      if (!writesStatus(subject)) return;
      const at = async (): Promise<RecordedAt | null> => {
        const eventHash = await store.getEventHash(seq);
        return eventHash === null ? null : { type: "", seq, eventHash };
      };
      reporter.status(key, { subject, seen, at });
    },
    refused: (subject, error) => {
      metrics.refused.inc({ resource_type: subject.resource.plural });
      logger.error({ ...traceOf(subject), ...errorFields(error) }, "cannot be recorded");
    },
  };
}

/** An Event about an Event would be observed, recorded, and so make another. */
function isEvent({ resource: { group, plural } }: Subject): boolean {
  return plural === "events" && (group === "" || group === "events.k8s.io");
}
