import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { validate } from "dockerfile-utils";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { chart } from "../chart/helm.js";
import { build, type Built } from "./build.js";
import { inContext, parseDockerfile, repository, source } from "./dockerfile.js";

const { global, stages } = parseDockerfile(source);
const final = stages.at(-1)!;
const step = (name: string): string | undefined => final.instructions.findLast((one) => one.name === name)?.text;

describe("the Dockerfile", () => {
  it("is clean for the linter", () => {
    expect(validate(source)).toEqual([]);
    // that the linter sees anything at all
    expect(validate("FROM alpine\nRUN\nCOPYY a b\n").length).toBeGreaterThan(0);
  });

  it("names every base image by an exact tag, which a digest can pin", () => {
    const defaults = new Map(global.flatMap(({ args }) => args.map((arg) => arg.split("=", 2) as [string, string])));
    const images = stages.filter(({ base }) => !stages.some(({ name }) => name === base)).map(({ base }) => base);
    expect(images).toEqual([
      "node:${NODE_TAG}${NODE_DIGEST:+@${NODE_DIGEST}}",
      "alpine:${ALPINE_TAG}${ALPINE_DIGEST:+@${ALPINE_DIGEST}}",
    ]);
    expect(defaults.get("NODE_TAG")).toMatch(/^20\.\d+(\.\d+)?-alpine\d+\.\d+$/);
    expect(defaults.get("ALPINE_TAG")).toMatch(/^\d+\.\d+/);
    // the node program is linked against the very Alpine that it runs on
    expect(defaults.get("NODE_TAG")?.endsWith(`-alpine${String(defaults.get("ALPINE_TAG"))}`)).toBe(true);
  });

  it("runs as a user by number, who is the one of the chart's pods", () => {
    const { podSecurityContext } = parse(readFileSync(join(chart, "values.yaml"), "utf8")) as {
      podSecurityContext: { runAsUser: number; runAsGroup: number };
    };
    expect(step("USER")).toBe(`${podSecurityContext.runAsUser}:${podSecurityContext.runAsGroup}`);
    expect(podSecurityContext.runAsUser).toBeGreaterThan(0);
  });

  it("starts the operator, and asks it whether it is well", () => {
    expect(step("ENTRYPOINT")).toBe('["rynxs-operator"]');
    expect(step("CMD")).toBeUndefined();
    expect(step("HEALTHCHECK")).toMatch(/ CMD \["rynxs-operator", "healthcheck"\]$/);
    expect(step("EXPOSE")).toBe("8080");
  });

  it("has the labels of the Open Container Initiative, and the version of the chart", () => {
    const labels = step("LABEL") ?? "";
    for (const label of ["title", "description", "licenses", "version", "revision", "created"]) {
      expect(labels).toContain(`org.opencontainers.image.${label}=`);
    }
    const { appVersion } = parse(readFileSync(join(chart, "Chart.yaml"), "utf8")) as { appVersion: string };
    const own = final.instructions.flatMap(({ name, text }) => (name === "ARG" ? [text] : []));
    expect(own).toContain(`VERSION=${appVersion}`);
  });

  it("installs nothing in the final stage, and takes no secrets", () => {
    expect(final.instructions.filter(({ name }) => ["RUN", "ADD"].includes(name))).toEqual([]);
    expect(source).not.toMatch(/^ARG .*(TOKEN|SECRET|PASSWORD)/m);
    expect(source).not.toMatch(/^COPY (--\S+ )*\. /m);
  });
});

describe("the build's context", () => {
  it("holds what is built, and nothing else", () => {
    for (const path of [
      "package.json",
      ".npmrc",
      "packages/cli/src/main.ts",
      "packages/operator/bin/rynxs-operator.js",
    ])
      expect(inContext(path), path).toBe(true);
    for (const path of [
      ".git/config",
      "node_modules/a/b.js",
      "packages/cli/build/main.js",
      "packages/cli/node_modules/x",
      ".env",
    ])
      expect(inContext(path), path).toBe(false);
  });

  it("has every workspace of the project", () => {
    const { workspaces } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as {
      workspaces: string[];
    };
    for (const workspace of workspaces)
      expect(source.match(new RegExp(`COPY ${workspace}/package.json`, "g"))).toHaveLength(2);
  });
});

describe("the image, its steps carried out in a folder", () => {
  const scratch = mkdtempSync(join(tmpdir(), "rynxs-image-"));
  let image: Built;

  beforeAll(async () => {
    chmodSync(scratch, 0o755);
    image = await build(scratch);
  }, 300_000);
  afterAll(() => rm(scratch, { recursive: true, force: true }), 120_000);

  const files = (folder: string): string[] =>
    readdirSync(join(image.root, folder), { recursive: true, encoding: "utf8" });

  /** As the image would: its PATH, no other environment, its user where this process may change it. */
  function start(...command: string[]): { status: number | null; stdout: string; stderr: string } {
    const path = (image.env["PATH"] ?? "")
      .split(":")
      .map((part) => (part.startsWith("/app") ? image.root + part : part));
    const [uid, gid] = (step("USER") ?? "").split(":").map(Number);
    const [program = "", ...args] = command;
    const result = spawnSync(program, args, {
      cwd: join(image.root, "app"),
      // node is this machine's
      env: { ...image.env, PATH: [...path, dirname(process.execPath)].join(":") },
      encoding: "utf8",
      timeout: 20_000,
      ...(process.getuid?.() === 0 && uid !== undefined && gid !== undefined && { uid, gid }),
    });
    return { status: result.status, stdout: result.stdout, stderr: `${result.stderr}${String(result.error ?? "")}` };
  }

  it("was built from the sources alone, by these steps", () => {
    expect([...image.ran].sort()).toEqual([
      "npm ci --ignore-scripts",
      expect.stringMatching(/^npm ci --omit=dev --ignore-scripts +&& mkdir empty$/),
      "npm run build",
    ]);
    expect(image.fromBase).toEqual(["/usr/local/bin/node", "/usr/lib/libstdc++.so.6", "/usr/lib/libgcc_s.so.1"]);
  });

  it.each(["rynxs", "rynxs-operator"])("starts %s --version as its user, who can write nothing there", (program) => {
    const { status, stderr, stdout } = start(program, "--version");
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    if (process.getuid?.() === 0) expect(start("touch", join(image.root, "app", "x")).status).not.toBe(0);
  });

  it("opens a log: what the library loads on demand is there too", () => {
    const log = join(image.root, "var/log/rynxs/events.log");
    const appended = start("rynxs", "append", "--store", `file:${log}`, "--type", "T", "--aggregate", "a");
    expect(appended).toMatchObject({ status: 0, stderr: "" });
    const verified = start("rynxs", "verify", "--store", `file:${log}`, "--json");
    expect(JSON.parse(verified.stdout)).toMatchObject({ valid: true, events: 1 });
  });

  it("resolves every package that its packages depend on", () => {
    for (const name of ["event-store", "operator", "cli"]) {
      const folder = join(image.root, "app/packages", name);
      const { dependencies } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
        dependencies: object;
      };
      for (const dependency of Object.keys(dependencies)) {
        const places = [join(folder, "node_modules", dependency), join(image.root, "app/node_modules", dependency)];
        expect(
          places.some((place) => existsSync(join(place, "package.json"))),
          `${name}: ${dependency}`,
        ).toBe(true);
      }
    }
  });

  it("holds no tools, no sources and no types of ours, and is small", () => {
    const modules = files("app/node_modules");
    for (const tool of ["typescript", "vitest", "eslint", "rolldown", "@duckdb/node-api", "ajv", "npm"])
      expect(modules).not.toContain(tool);
    const own = files("app/packages").filter((file) => !file.includes("node_modules"));
    expect(own.filter((file) => /(^|\/)(src|dist|test)(\/|$)|\.ts$/.test(file))).toEqual([]);
    expect(own).toContain("event-store/build/index.js");
    const bytes = modules.reduce((sum, file) => {
      const stat = statSync(join(image.root, "app/node_modules", file), { throwIfNoEntry: false });
      return sum + (stat?.isFile() ? stat.size : 0);
    }, 0);
    expect(bytes).toBeLessThan(60e6);
  });
});
