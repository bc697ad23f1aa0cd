import { expect, it } from "vitest";
import { createMetrics } from "../../src/app/metrics.js";
import { metrics } from "./metrics.js";

it("the metrics that alerts and dashboard are held to are those that the operator has, and documents", async () => {
  const { registry } = createMetrics(() => 0);
  const real = registry.getMetricsAsArray().map((metric) => {
    const { name, labelNames } = metric as unknown as { name: string; labelNames: string[] };
    return [name, [...labelNames].filter((label) => label !== "le")] as const;
  });
  expect(Object.fromEntries(real)).toEqual(
    Object.fromEntries(Object.entries(metrics).map(([name, { labels }]) => [name, labels])),
  );
  const text = await registry.metrics();
  for (const [name, { type }] of Object.entries(metrics)) expect(text).toContain(`# TYPE ${name} ${type}\n`);
});
