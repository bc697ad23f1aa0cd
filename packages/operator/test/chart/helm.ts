import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { parse, parseAllDocuments, stringify } from "yaml";
import type { Manifest } from "./manifest.js";
import { findTool, type Tool } from "./tools.js";

const run = promisify(execFile);

export const chart: string = fileURLToPath(new URL("../../../../helm/rynxs", import.meta.url));
export const bothMajors: readonly Tool[] = [
  await findTool(({ helm }) => helm(3)),
  await findTool(({ helm }) => helm(4)),
];

/** Values, and how the release is called. */
export interface Case {
  readonly values?: object;
  readonly files?: readonly string[];
  readonly release?: string;
  readonly namespace?: string;
}

/** What Helm would apply, in its order. A key given twice, which Helm lets pass, is an error. */
export async function render(helm: string, options: Case = {}): Promise<Manifest[]> {
  const { stdout } = await template(helm, options);
  return parseAllDocuments(stdout, { uniqueKeys: true })
    .map((document) => {
      if (document.errors.length > 0) throw new Error(`${String(document.errors[0])}\n${String(document)}`);
      return document.toJS() as Manifest | null;
    })
    .filter((manifest) => manifest !== null);
}

export async function lint(helm: string, options: Case = {}): Promise<string> {
  return withValues(options, async (args) => {
    const { stdout } = await helmRun(helm, ["lint", "--strict", chart, ...args]);
    return stdout;
  });
}

/** What Helm says when it refuses the values. @throws when it does not */
export async function refusal(helm: string, options: Case): Promise<string> {
  try {
    await template(helm, options);
  } catch (error) {
    return (error as { stderr: string }).stderr;
  }
  throw new Error(`not refused: ${JSON.stringify(options)}`);
}

/** The text that `helm install` prints. No command shows it without a cluster, so a copy of the chart has it as a manifest. */
export async function notes(helm: string, options: Case = {}): Promise<string> {
  const copy = mkdtempSync(join(tmpdir(), "rynxs-notes-"));
  try {
    cpSync(chart, copy, { recursive: true });
    const text = readFileSync(join(copy, "templates", "NOTES.txt"), "utf8");
    const manifest = `{{- define "notes" -}}\n${text}\n{{- end -}}\nnotes: {{ include "notes" . | toJson }}\n`;
    writeFileSync(join(copy, "templates", "notes.yaml"), manifest);
    const { stdout } = await withValues(options, (args) =>
      helmRun(helm, ["template", "rynxs", copy, "--show-only", "templates/notes.yaml", ...args]),
    );
    return (parse(stdout) as { notes: string }).notes;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

export function only(manifests: readonly Manifest[], kind: string, name?: string): Manifest {
  const found = manifests.filter((one) => one.kind === kind && (name === undefined || one.metadata.name === name));
  const [first] = found;
  if (first === undefined || found.length > 1)
    throw new Error(`${found.length} manifests of kind ${kind} ${name ?? ""}`);
  return first;
}

function template(helm: string, options: Case): Promise<{ stdout: string }> {
  const { release = "rynxs", namespace = "rynxs-system" } = options;
  return withValues(options, (args) => helmRun(helm, ["template", release, chart, "-n", namespace, ...args]));
}

/** No configuration of whoever runs this takes part: no cluster, no plugins. */
function helmRun(helm: string, args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  const home = join(tmpdir(), "rynxs-no-helm");
  const env = { HOME: home, KUBECONFIG: join(home, "none"), HELM_PLUGINS: join(home, "plugins") };
  return run(helm, args, { env, maxBuffer: 16 << 20 });
}

async function withValues<T>(options: Case, work: (args: string[]) => Promise<T>): Promise<T> {
  const scratch = mkdtempSync(join(tmpdir(), "rynxs-chart-"));
  try {
    const args = (options.files ?? []).flatMap((file) => ["-f", join(chart, file)]);
    if (options.values !== undefined) {
      const file = join(scratch, "values.yaml");
      writeFileSync(file, stringify(options.values));
      args.push("-f", file);
    }
    return await work(args);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
