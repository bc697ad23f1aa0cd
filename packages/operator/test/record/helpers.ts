import {
  memoryObjects,
  S3EventStore,
  type EventStore,
  type MemoryObjects,
  type ObjectStore,
  type RecordedEvent,
} from "@rynxs/event-store";
import { LeadershipLostError, type Leadership } from "../../src/election/port.js";
import type { KubeObject, ResourceType } from "../../src/kube/port.js";
import { FencedLog } from "../../src/record/fenced-log.js";
import { Recorder, type RecorderOptions } from "../../src/record/recorder.js";
import type { WatchScope } from "../../src/watch/sink.js";
import { FakeTime } from "../fake-time.js";

export const AGENTS: ResourceType = {
  name: "agents.universe.ai/v1alpha1",
  group: "universe.ai",
  version: "v1alpha1",
  plural: "agents",
  kind: "Agent",
  namespaced: true,
  hasStatus: true,
  metadataOnly: false,
};

export const EVERYWHERE: WatchScope = { resource: AGENTS, namespace: undefined, labelSelector: undefined };

export function agent(name: string, spec: object, more: Record<string, unknown> = {}): KubeObject {
  return {
    apiVersion: "universe.ai/v1alpha1",
    kind: "Agent",
    metadata: { name, namespace: "universe", uid: `uid-${name}`, resourceVersion: "1", generation: 1, ...more },
    spec,
  };
}

export interface Held extends Leadership {
  lose(): void;
  /** As a process that was paused finds it: over, but nothing has said so. */
  expire(): void;
}

export function leadership(holder: string): Held {
  const lost = new AbortController();
  let expired = false;
  return {
    holder,
    lease: "rynxs/rynxs-operator",
    transitions: 0,
    signal: lost.signal,
    valid: () => !expired && !lost.signal.aborted,
    lose: () => lost.abort(new LeadershipLostError("lease", "lost")),
    expire: () => (expired = true),
  };
}

/** The log as one more process opens it. */
export async function openLog(
  objects: MemoryObjects,
  observe?: (objects: ObjectStore) => ObjectStore,
): Promise<EventStore> {
  return S3EventStore.open({
    objects: memoryObjects({ bucket: objects.bucket }),
    prefix: "events",
    ...(observe && { observe }),
  });
}

export async function eventsOf(store: EventStore): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for await (const event of store.read()) events.push(event);
  return events;
}

/** One replica: its log and its recorder, without an API server. */
export async function replica(
  objects: MemoryObjects,
  name: string,
  options: Partial<Omit<RecorderOptions, "log" | "runtime" | "batch">> = {},
  observe?: (objects: ObjectStore) => ObjectStore,
  batch = 1,
) {
  const store = await openLog(objects, observe);
  const time = new FakeTime();
  const runtime = { ...time.runtime(), sleep: async () => {} };
  const there = new Map<string, string>();
  const relists: (() => void)[] = [];
  const recorded: string[] = [];
  const unreported: string[] = [];
  const refused: unknown[] = [];
  const troubles: unknown[] = [];
  const log: FencedLog = new FencedLog(store, {
    writerId: name,
    runtime,
    onChange: (key, digest, event) => recorder.logged(key, digest, event),
  });
  const recorder: Recorder = new Recorder({
    log,
    runtime,
    look: async (subject) => there.get(subject.name) ?? null,
    relist: async (between) => {
      relists.push(between);
      between();
    },
    batch,
    capacity: 1_000_000,
    on: {
      recorded: ({ key, payload }, { seq }) => recorded.push(`${key} ${payload === null ? "gone" : "seen"} ${seq}`),
      unreported: ({ key }, seq) => unreported.push(`${key} ${seq}`),
      refused: (_, error) => refused.push(error),
      troubled: (error) => troubles.push(error),
    },
    ...options,
  });
  await log.load(new AbortController().signal);
  /** Records all that is pending, as the leader `held`, and steps down. */
  const leadOnce = async (held: Leadership = leadership(name)): Promise<void> => {
    const draining = new AbortController();
    draining.abort();
    await recorder.lead(held, draining.signal);
  };
  return { store, log, recorder, there, relists, recorded, unreported, refused, troubles, leadOnce };
}
