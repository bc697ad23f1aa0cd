import { pino } from "pino";
import { memoryObjects, S3EventStore, systemRuntime, type EventStore } from "@rynxs/event-store";
import { it } from "vitest";
import { operatorConfig } from "../../src/app/environment.js";
import { Operator, type OperatorParts } from "../../src/app/operator.js";
import type { KubeApi } from "../../src/kube/port.js";

/** An operator whose API server is never asked, as it does not get so far. */
function operator(parts: Partial<OperatorParts>): Operator {
  return new Operator({
    config: operatorConfig({ METRICS_PORT: "0", EVENT_STORE_TYPE: "s3" }),
    api: { server: "https://nowhere", close: () => Promise.resolve() } as unknown as KubeApi,
    namespace: "rynxs",
    openStore: () => S3EventStore.open({ objects: memoryObjects(), prefix: "events" }),
    async *examine() {},
    watch: () => {
      throw new Error("not so far");
    },
    runtime: systemRuntime,
    logger: pino({ enabled: false }),
    ...parts,
  });
}

/** Each step of a start, with one that never ends, and says so. */
const steps: Readonly<Record<string, (stuck: () => Promise<never>) => Partial<OperatorParts>>> = {
  "opening the bucket": (stuck) => ({ openStore: stuck }),
  "proving the bucket": (stuck) => ({
    async *examine() {
      yield await stuck();
    },
  }),
  "reading the log": (stuck) => {
    const derived = { root: "", objects: { get: stuck, list: stuck } };
    const store = { location: "s3://silent", derived, read: stuck, head: stuck, close: () => Promise.resolve() };
    return { openStore: () => Promise.resolve(store as unknown as EventStore) };
  },
};

it.each(Object.entries(steps))("ends at once when it is told to while %s takes for ever", async (_, parts) => {
  const stop = new AbortController();
  let isStuck = (): void => undefined;
  const reached = new Promise<void>((resolve) => (isStuck = resolve));
  const running = operator(
    parts(() => {
      isStuck();
      return new Promise<never>(() => undefined);
    }),
  ).run(stop.signal);
  await reached;
  stop.abort();
  await running;
});
