import {
  CLUSTER_FAULTS,
  type ClusterFault,
  type ClusterFaultRule,
  type ClusterFaultWhen,
} from "@rynxs/operator/testing";
import { FAULTS, type Fault, type FaultRule, type FaultWhen } from "@rynxs/event-store/testing";
import type { Random } from "./random.js";
import { CUT_REQUEST } from "./s3-proxy.js";

/** Of the operators alone: changes are made within the server's process. */
const OPERATOR = /rynxs-operator/;

/** Which faults may happen: those that hold something up for long are left out of short runs. */
export interface FaultChoice {
  readonly short: boolean;
}

/** Some requests to the API server, of the operators alone, that go wrong. */
export function someApiFault(random: Random, { short }: FaultChoice): ClusterFaultRule {
  const { userAgent, ...where } = random.pick<ClusterFaultWhen>([
    { userAgent: OPERATOR },
    { userAgent: OPERATOR, resource: "leases" },
    { userAgent: OPERATOR, resource: "agents", verb: "list" },
    { userAgent: OPERATOR, resource: "agents", verb: "get" },
    { userAgent: OPERATOR, subresource: "status" },
    { userAgent: OPERATOR, resource: "events" },
  ]);
  const faults: readonly ClusterFault[] = [
    CLUSTER_FAULTS.dropRequest,
    CLUSTER_FAULTS.dropAnswer,
    CLUSTER_FAULTS.resetBefore,
    CLUSTER_FAULTS.resetAfter,
    CLUSTER_FAULTS.resetStream,
    CLUSTER_FAULTS.internalError,
    CLUSTER_FAULTS.internalErrorAfterCommit,
    CLUSTER_FAULTS.unavailable,
    CLUSTER_FAULTS.tooManyRequests(1),
    CLUSTER_FAULTS.truncated,
    CLUSTER_FAULTS.twice,
    CLUSTER_FAULTS.slow(random.between(50, 1_500)),
    ...(where.resource === "leases" || !short ? [CLUSTER_FAULTS.stall, CLUSTER_FAULTS.stallAfterCommit] : []),
    ...(where.verb === "list" ? [CLUSTER_FAULTS.gone] : []),
    ...(short ? [] : [CLUSTER_FAULTS.unauthorized]),
  ];
  return { when: { userAgent: userAgent ?? OPERATOR, ...where, count: random.between(1, 3) }, do: random.pick(faults) };
}

/** Something that happens to the next watches that are opened. */
export function someWatchFault(random: Random, { short }: FaultChoice): ClusterFaultRule {
  const after = random.between(0, 6);
  const faults: readonly ClusterFault[] = [
    CLUSTER_FAULTS.cutWatch(after),
    CLUSTER_FAULTS.endWatch(after),
    CLUSTER_FAULTS.expireWatch(after),
    CLUSTER_FAULTS.resetWatch(after),
    CLUSTER_FAULTS.expiredEvent,
    CLUSTER_FAULTS.gone,
    CLUSTER_FAULTS.slowEvents(random.between(20, 300)),
    CLUSTER_FAULTS.slowEvents(random.between(300, 2_000)),
    CLUSTER_FAULTS.duplicateEvents,
    // Found out by the watchdog, after a minute and a half.
    ...(short ? [] : [CLUSTER_FAULTS.silentWatch(after)]),
  ];
  const resource = random.chance(0.8) ? "agents" : "leases";
  const when = { userAgent: OPERATOR, verb: "watch", resource, count: random.between(1, 2) };
  return { when, do: random.pick(faults) };
}

/** Some requests to the bucket that go wrong. */
export function someS3Fault(random: Random, { short }: FaultChoice): FaultRule {
  const where = random.pick<FaultWhen>([
    {},
    { method: "PUT" },
    { method: "PUT", key: /[0-9]{10}\.json$/ },
    { method: "PUT", key: /_head\.json$/ },
    { operation: "LIST" },
    { operation: "GET" },
  ]);
  const faults: readonly Fault[] = [
    FAULTS.dropRequest,
    FAULTS.dropAnswer,
    FAULTS.resetBefore,
    FAULTS.resetAfter,
    FAULTS.applyLateAfter(random.between(100, 4_000)),
    FAULTS.conflict,
    FAULTS.conflictAfterCommit,
    FAULTS.internalError,
    FAULTS.internalErrorAfterCommit,
    FAULTS.slowDown(1),
    FAULTS.status(503, "ServiceUnavailable"),
    FAULTS.status(503, "ServiceUnavailable", "once"),
    FAULTS.truncated,
    FAULTS.twice,
    FAULTS.slow(random.between(50, 2_500)),
    CUT_REQUEST,
    // Until the client's own time-out: 15 s.
    ...(short ? [] : [FAULTS.hang, FAULTS.hangAfterCommit]),
  ];
  return { when: { ...where, count: random.between(1, 4) }, do: random.pick(faults) };
}
