import type { EventStore } from "@rynxs/event-store";
import { expect, it } from "vitest";
import { operatorConfig } from "../../src/app/environment.js";
import { createLogger } from "../../src/app/logging.js";
import { createMetrics } from "../../src/app/metrics.js";
import { reportsOf } from "../../src/app/reports.js";
import { observe } from "../../src/record/observation.js";
import type { Reporter } from "../../src/report/reporter.js";
import { FakeTime } from "../fake-time.js";
import { agent, AGENTS } from "../record/helpers.js";

it("no Kubernetes Event is written about an Event: it would be observed in its turn, for ever", () => {
  const told: string[] = [];
  const { recorded } = reportsOf({
    config: operatorConfig({ EVENT_STORE_TYPE: "file", EVENT_STORE_PATH: "log" }),
    store: {} as EventStore,
    reporter: { status: () => undefined, event: (key: string) => told.push(key) } as unknown as Reporter,
    metrics: createMetrics(() => 0),
    logger: createLogger({ level: "error", format: "json" }),
    runtime: new FakeTime().runtime(),
  });
  for (const [plural, group] of [
    ["events", ""],
    ["events", "events.k8s.io"],
    ["events", "example.com"],
    ["agents", "universe.ai"],
  ] as const) {
    const resource = { ...AGENTS, plural, group };
    recorded(observe(resource, agent("x", {}), 0), { seq: 1, eventHash: "a".repeat(64) });
  }
  expect(told).toEqual(["events.example.com universe/x", "agents universe/x"]);
});
