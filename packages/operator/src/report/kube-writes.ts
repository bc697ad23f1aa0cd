import { KubeError } from "../kube/errors.js";
import type { KubeApi, KubeObject } from "../kube/port.js";
import { microTime } from "../election/micro-time.js";
import type { Logged } from "../record/fenced-log.js";
import { conditionsOf, HOME_GROUP, type SeenStatus, type Subject } from "../record/observation.js";
import { RECORDED, recordedMessage, recordedSeqOf } from "../record/recorded-condition.js";

/** Where in the log it is. */
export interface RecordedAt extends Logged {
  readonly type: string;
}

/** `/apis/GROUP/VERSION/namespaces/NAMESPACE/PLURAL/NAME`. */
export function objectPath({ resource, namespace, name }: Subject): string {
  const { group, version, plural } = resource;
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  const within = namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}${within}/${plural}/${encodeURIComponent(name)}`;
}

/**
 * Writes the condition `Recorded` into the object's status, by a merge patch that holds only if the object is still the one that was seen: the
 * conditions of others are written back as they were. Does nothing for an object that is gone, nor when somebody has written a later seq since
 * it was seen: another replica leads by now. @throws KubeError
 */
export async function writeStatus(
  api: KubeApi,
  subject: Subject,
  seen: SeenStatus | undefined,
  at: RecordedAt,
  unixMs: number,
): Promise<void> {
  const before = recordedSeqOf(seen?.conditions ?? []);
  let current = seen ?? (await readStatus(api, subject));
  for (let tries = 1; current !== null; tries++) {
    try {
      await api.request({
        method: "PATCH",
        path: `${objectPath(subject)}/status`,
        contentType: "application/merge-patch+json",
        body: {
          metadata: { resourceVersion: current.resourceVersion },
          status: statusOf(subject, current.conditions, at, unixMs),
        },
      });
      return;
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      if (error.code === "NOT_FOUND") return;
      if (error.code !== "CONFLICT" || tries > 3) throw error;
      current = await readStatus(api, subject);
      const now = recordedSeqOf(current?.conditions ?? []);
      if (now !== before && now > at.seq) return;
    }
  }
}

/** Null when the object is gone, or another has its name now. */
async function readStatus(api: KubeApi, subject: Subject): Promise<SeenStatus | null> {
  try {
    const object = (await api.request({ method: "GET", path: objectPath(subject) })) as KubeObject;
    const { uid, resourceVersion } = object.metadata;
    if (resourceVersion === undefined || (subject.uid !== undefined && uid !== subject.uid)) return null;
    return { resourceVersion, conditions: conditionsOf(object) };
  } catch (error) {
    if (error instanceof KubeError && error.code === "NOT_FOUND") return null;
    throw error;
  }
}

function statusOf(subject: Subject, conditions: readonly unknown[], at: RecordedAt, unixMs: number): object {
  const typed = conditions as readonly ({ readonly type?: unknown; readonly lastTransitionTime?: unknown } | null)[];
  const before = typed.find((condition) => condition?.type === RECORDED);
  const observed = subject.generation === undefined ? {} : { observedGeneration: subject.generation };
  const condition = {
    type: RECORDED,
    status: "True",
    reason: "Appended",
    message: recordedMessage(at.seq, at.eventHash),
    ...observed,
    lastTransitionTime: before?.lastTransitionTime ?? new Date(unixMs).toISOString().replace(/\.\d+Z$/, "Z"),
  };
  return {
    conditions: [...typed.filter((one) => one?.type !== RECORDED), condition],
    // In other groups these fields would be somebody else's.
    ...(subject.resource.group === HOME_GROUP && {
      ...observed,
      recordedSeq: at.seq,
      recordedHash: at.eventHash,
    }),
  };
}

/** Who says it: `kubectl describe` shows it beside the event. */
export interface EventSource {
  /** At most 128 characters. */
  readonly instance: string;
}

/** A Kubernetes Event that says what was recorded. Said twice, it is there once. @throws KubeError */
export async function announce(
  api: KubeApi,
  subject: Subject,
  at: RecordedAt,
  source: EventSource,
  unixMs: number,
): Promise<void> {
  const { resource, name, uid } = subject;
  const namespace = subject.namespace ?? "default";
  const suffix = `.${at.seq.toString(16).padStart(10, "0")}`;
  try {
    await api.request({
      method: "POST",
      path: `/apis/events.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/events`,
      body: {
        apiVersion: "events.k8s.io/v1",
        kind: "Event",
        metadata: { name: `${dnsName(name, 253 - suffix.length)}${suffix}`, namespace },
        eventTime: microTime(unixMs),
        reportingController: `${HOME_GROUP}/rynxs-operator`,
        reportingInstance: source.instance.slice(0, 128),
        action: "Record",
        reason: RECORDED,
        type: "Normal",
        note: `${at.type} recorded: ${recordedMessage(at.seq, at.eventHash)}`,
        regarding: {
          apiVersion: resource.group === "" ? resource.version : `${resource.group}/${resource.version}`,
          kind: resource.kind,
          name,
          ...(subject.namespace !== undefined && { namespace: subject.namespace }),
          ...(uid !== undefined && { uid }),
        },
      },
    });
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    const isGoing = error.code === "FORBIDDEN" && error.message.includes("is being terminated");
    // Said already, or its namespace is gone or about to be.
    if (!isGoing && !["CONFLICT", "NOT_FOUND"].includes(error.code)) throw error;
  }
}

/** The name as part of an Event's: those of some kinds (`system:node`) are none that an Event may have. */
function dnsName(name: string, length: number): string {
  const labels = name.toLowerCase().slice(0, length).split(".");
  const fit = labels.map((label) => label.replace(/[^a-z0-9-]/g, "-").replace(/^-+|-+$/g, ""));
  return fit.filter((label) => label !== "").join(".") || "object";
}
