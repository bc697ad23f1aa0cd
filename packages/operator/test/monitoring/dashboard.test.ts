import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bothMajors, chart, only, render } from "../chart/helm.js";
import { describeWith } from "../chart/tools.js";
import { metrics, unknownIn } from "./metrics.js";

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string; readonly refId: string }[];
}

const text = readFileSync(join(chart, "files", "dashboard.json"), "utf8");
const dashboard = JSON.parse(text) as {
  readonly title: string;
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
};
const panels = dashboard.panels.filter(({ type }) => type !== "row");
const expressions = panels.flatMap(({ title, targets = [] }) => targets.map((target) => ({ title, ...target })));
const variables = dashboard.templating.list.map(({ name }) => name);

describe("the dashboard", () => {
  it.each(expressions)("$title: uses the operator's metrics and their labels only ($expr)", ({ expr }) => {
    expect(unknownIn(expr)).toEqual([]);
    expect(expr).toContain('{namespace=~"$namespace",job=~"$job"}');
    const used = [...expr.matchAll(/\$(\w+)/g)].map((match) => match[1] ?? "").filter((name) => !name.startsWith("__"));
    expect(used.filter((name) => !variables.includes(name))).toEqual([]);
  });

  it.each(expressions)("$title: its legend names labels that its expression keeps", ({ expr, legendFormat }) => {
    for (const [, label = ""] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
      const kept = /\bby \(([^)]*)\)/.exec(expr)?.[1]?.split(/,\s*/);
      const own = kept ?? [
        "pod",
        ...Object.entries(metrics).flatMap(([name, { labels }]) => (expr.includes(name) ? labels : [])),
      ];
      expect(own).toContain(label);
    }
  });

  it("shows every metric", () => {
    const shown = expressions.map(({ expr }) => expr).join("\n");
    expect(Object.keys(metrics).filter((name) => !shown.includes(name))).toEqual([]);
  });

  it("has variables whose queries are of known metrics", () => {
    expect(variables).toEqual(["datasource", "namespace", "job"]);
    for (const { definition = "" } of dashboard.templating.list) {
      for (const [metric] of definition.matchAll(/\brynxs_\w+/g)) expect(metrics).toHaveProperty(metric);
    }
  });

  it("has panels with a number each, that do not lie on each other", () => {
    const ids = dashboard.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const taken = new Set<string>();
    for (const { title, gridPos } of dashboard.panels) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(taken.has(`${x},${y}`), title).toBe(false);
          taken.add(`${x},${y}`);
        }
    }
  });
});

describeWith(bothMajors, "the chart's dashboard", (helm = "") => {
  it("is this one, in a ConfigMap that Grafana's sidecar finds", async () => {
    const metricsValues = { dashboard: { enabled: true, namespace: "grafana" } };
    const map = only(await render(helm, { values: { metrics: metricsValues } }), "ConfigMap");
    expect(map.metadata).toMatchObject({ namespace: "grafana", labels: { grafana_dashboard: "1" } });
    expect(JSON.parse(map.data["rynxs.json"] ?? "")).toEqual(dashboard);
  });
});
