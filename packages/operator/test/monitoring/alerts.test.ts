import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { bothMajors, chart, only, render } from "../chart/helm.js";
import { describeWith, findTool } from "../chart/tools.js";
import { unknownIn } from "./metrics.js";

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<string, string>>;
}

interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
}

interface RuleTests {
  readonly tests: readonly {
    readonly input_series: readonly { readonly series: string }[];
    readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts: readonly unknown[] }[];
  }[];
}

interface ValuesSchema {
  readonly properties: {
    readonly metrics: {
      readonly properties: {
        readonly prometheusRule: {
          readonly properties: { readonly disabled: { readonly items: { readonly enum: readonly string[] } } };
        };
      };
    };
  };
}

const repository = fileURLToPath(new URL("../../../../", import.meta.url));
const alertsFile = join(chart, "files", "alerts.yaml");
const testsFile = join(repository, "monitoring", "alerts.test.yaml");
const rulesOf = (file: RuleFile): Rule[] => file.groups.flatMap(({ rules }) => rules);
const rules = rulesOf(parse(readFileSync(alertsFile, "utf8")) as RuleFile);
const tests = parse(readFileSync(testsFile, "utf8")) as RuleTests;

const names = [
  "RynxsNoLeader",
  "RynxsLeaderFlap",
  "RynxsLeaderElectionFailuresHigh",
  "RynxsReplayDurationHigh",
  "RynxsEventStoreErrorsHigh",
  "RynxsAppendLatencyHigh",
  "RynxsVerificationFailed",
];
const promtool = await findTool((tools) => tools.promtool());

describe("the alerts", () => {
  it("are these", () => {
    expect(rules.map(({ alert }) => alert).sort()).toEqual([...names].sort());
    const schema = JSON.parse(readFileSync(join(chart, "values.schema.json"), "utf8")) as ValuesSchema;
    const { disabled } = schema.properties.metrics.properties.prometheusRule.properties;
    expect([...disabled.items.enum].sort()).toEqual([...names].sort());
  });

  it.each(rules)("$alert uses the operator's metrics and their labels only", ({ expr }) => {
    expect(unknownIn(expr)).toEqual([]);
  });

  it.each(rules)("$alert says what it is, how bad, and where its runbook is", ({ alert, labels, annotations }) => {
    expect(["warning", "critical"]).toContain(labels.severity);
    expect(annotations["summary"]).toMatch(/^\S.{5,}/);
    expect(annotations["description"]).toMatch(/\.$/);
    expect(annotations["runbook_url"]).toBe(`docs/runbooks/${alert}.md`);
    expect(existsSync(join(repository, annotations["runbook_url"] ?? ""))).toBe(true);
  });

  it.each(names)("%s is tested for firing and for keeping quiet", (name) => {
    const expectations = tests.tests
      .flatMap(({ alert_rule_test }) => alert_rule_test)
      .filter(({ alertname }) => alertname === name);
    expect(expectations.some(({ exp_alerts }) => exp_alerts.length > 0)).toBe(true);
    expect(expectations.some(({ exp_alerts }) => exp_alerts.length === 0)).toBe(true);
  });

  it("are tested with series that the operator has, and with some that an alert must not count", () => {
    const unknown = tests.tests
      .flatMap(({ input_series }) => input_series)
      .map(({ series }) => series.slice(0, series.indexOf("{")))
      .filter((series) => unknownIn(`rate(${series}[1m])`).some((problem) => problem.endsWith("is no metric")));
    expect(unknown).toEqual([]);
  });
});

describe("the check of expressions", () => {
  it.each([
    ["rynxs_evnts_total", "rynxs_evnts_total is no metric"],
    ["rate(rynxs_events_total{kind='x'}[5m])", "label kind is on none of rynxs_events_total"],
    ["sum by (verdict) (rate(rynxs_events_total[5m]))", "label verdict is on none of rynxs_events_total"],
    ["rate(rynxs_append_duration_seconds[5m])", "rynxs_append_duration_seconds is a histogram"],
    ["sum(rynxs_events_total) > 3", "rynxs_events_total is a counter and never falls: rate() or increase()"],
    ["rate(rynxs_queue_depth_sum[5m])", "rynxs_queue_depth_sum is a gauge"],
  ])("finds what is wrong with %s", (expression, problem) => {
    expect(unknownIn(expression)).toEqual([problem]);
  });
});

describeWith([promtool], "promtool", (path = "") => {
  const run = (...args: string[]): string =>
    execFileSync(path, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

  it("takes the rules", () => {
    expect(run("check", "rules", alertsFile)).toContain(`SUCCESS: ${names.length} rules found`);
  });

  it("sees each alert fire when it should, and only then", () => {
    expect(run("test", "rules", testsFile)).toContain("SUCCESS");
  });
});

describeWith([promtool, ...bothMajors], "the chart's PrometheusRule", (path = "", helm = "") => {
  const scratch = mkdtempSync(join(tmpdir(), "rynxs-rules-"));
  afterAll(() => rmSync(scratch, { recursive: true }));

  async function rendered(prometheusRule: object): Promise<RuleFile> {
    const metrics = { prometheusRule: { enabled: true, ...prometheusRule } };
    return only(await render(helm, { values: { metrics } }), "PrometheusRule").spec as unknown as RuleFile;
  }

  it("holds the alerts, for the release's series only, with the runbooks' address", async () => {
    const spec = await rendered({ runbookUrl: "https://example.com/runbooks/" });
    expect(rulesOf(spec).map(({ alert }) => alert)).toEqual(rules.map(({ alert }) => alert));
    for (const [index, { alert, expr, annotations, ...rest }] of rulesOf(spec).entries()) {
      const source = rules[index];
      expect(expr).toBe(source?.expr.replaceAll('job=~".*rynxs.*"', 'namespace="rynxs-system",job="rynxs"'));
      expect(expr).toContain('namespace="rynxs-system",job="rynxs"');
      expect(annotations).toEqual({ ...source?.annotations, runbook_url: `https://example.com/runbooks/${alert}.md` });
      expect(rest).toMatchObject({ labels: source?.labels });
    }
  });

  it("leaves out what is disabled, and a group with it that has nothing left", async () => {
    const election = ["RynxsNoLeader", "RynxsLeaderFlap", "RynxsLeaderElectionFailuresHigh"];
    const spec = await rendered({ disabled: [...election, "RynxsAppendLatencyHigh"] });
    expect(spec.groups.map(({ name }) => name)).toEqual(["rynxs-store"]);
    expect(rulesOf(spec).map(({ alert }) => alert)).not.toContain("RynxsAppendLatencyHigh");
  });

  it("takes another selector", async () => {
    const [first] = rulesOf(await rendered({ selector: 'cluster="a"' }));
    expect(first?.expr).toContain('rynxs_leader_election_status{cluster="a"}');
  });

  it("fires for a release without any series although another release has a leader, and says whose it is", async () => {
    const spec = await rendered({});
    writeFileSync(join(scratch, "rules.yaml"), stringify(spec));
    const description =
      "For two minutes no replica in namespace rynxs-system has been the leader, or none is scraped. Changes are not recorded until one leads.";
    const test = {
      rule_files: ["rules.yaml"],
      evaluation_interval: "30s",
      tests: [
        {
          interval: "30s",
          input_series: [{ series: 'rynxs_leader_election_status{namespace="other",job="rynxs"}', values: "1x60" }],
          alert_rule_test: [
            {
              eval_time: "10m",
              alertname: "RynxsNoLeader",
              exp_alerts: [
                {
                  exp_labels: { severity: "critical", namespace: "rynxs-system", job: "rynxs" },
                  exp_annotations: {
                    summary: "Nobody records",
                    description,
                    runbook_url: "docs/runbooks/RynxsNoLeader.md",
                  },
                },
              ],
            },
          ],
        },
      ],
    };
    writeFileSync(join(scratch, "test.yaml"), stringify(test));
    expect(execFileSync(path, ["test", "rules", join(scratch, "test.yaml")], { encoding: "utf8" })).toContain(
      "SUCCESS",
    );
  });
});

describe("the runbooks", () => {
  const folder = join(repository, "docs", "runbooks");
  /** What `rynxs COMMAND --help` prints; empty when there is no such command. Of the build, as all tests of the command line. */
  const helps = new Map<string, string>();
  const help = (command: string): string => {
    const known = helps.get(command);
    if (known !== undefined) return known;
    const bin = join(repository, "packages/cli/bin/rynxs.js");
    const { stdout } = spawnSync(process.execPath, [bin, command, "--help"], { encoding: "utf8" });
    const text = stdout.startsWith(`Usage: rynxs ${command} `) ? stdout : "";
    helps.set(command, text);
    return text;
  };
  const read = (file: string): string => readFileSync(join(folder, file), "utf8");

  it("are one for each alert, all of them listed", () => {
    expect(readdirSync(folder).sort()).toEqual(["README.md", ...names.map((name) => `${name}.md`)].sort());
    for (const name of names) expect(read("README.md")).toContain(`(${name}.md)`);
  });

  it.each(names)("%s has its parts, and the severity of the alert", (name) => {
    const text = read(`${name}.md`);
    expect(text.startsWith(`# ${name}\n`)).toBe(true);
    expect(text.match(/^## .*/gm)).toEqual(["## Meaning", "## Likely causes", "## Look at", "## Do"]);
    expect(text).toContain(`**Severity: ${rules.find(({ alert }) => alert === name)?.labels.severity ?? ""}.**`);
  });

  it.each([...names, "README"])("%s names only commands and options that there are", (name) => {
    for (const [, command = "", rest = ""] of read(`${name}.md`).matchAll(/(?:^ {4}|`|-- )rynxs ([a-z]+)([^`\n]*)/gm)) {
      // until the command line has it
      if (command === "policy" && !existsSync(join(repository, "packages/cli/src/commands/policy.ts"))) continue;
      expect(help(command), `rynxs ${command}`).not.toBe("");
      for (const [option] of rest.matchAll(/--[a-z-]+/g)) expect(help(command)).toContain(option);
    }
  });

  it("link only to pages that there are", () => {
    for (const file of readdirSync(folder)) {
      for (const [, target = ""] of read(file).matchAll(/\]\(([^)]+)\)/g))
        expect(existsSync(join(folder, target))).toBe(true);
      for (const [page] of read(file).matchAll(/docs\/[\w/-]+\.md/g))
        expect(existsSync(join(repository, page))).toBe(true);
    }
  });
});
