import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { chart } from "./helm.js";

interface Row {
  readonly path: string;
  readonly fallback: string;
  readonly text: string;
}

interface ChartDocs {
  readonly documentedValues: (yaml: string) => Row[];
  readonly withTable: (readme: string, yaml: string) => Promise<string>;
}

const url = new URL("../../../../scripts/chart-docs.mjs", import.meta.url).href;
const { documentedValues, withTable } = (await import(/* @vite-ignore */ url)) as ChartDocs;
const yaml = readFileSync(`${chart}/values.yaml`, "utf8");
const readme = readFileSync(`${chart}/README.md`, "utf8");
const schema = JSON.parse(readFileSync(`${chart}/values.schema.json`, "utf8")) as Schema;

interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly $ref?: string;
  readonly definitions?: Readonly<Record<string, Schema>>;
}

const resolve = (at: Schema): Schema =>
  at.$ref === undefined ? at : (schema.definitions?.[at.$ref.replace("#/definitions/", "")] ?? {});

describe("the chart's README", () => {
  it("has the table that values.yaml gives (node scripts/chart-docs.mjs writes it)", async () => {
    expect(readme).toBe(await withTable(readme, yaml));
  });

  it("documents every value with its default", () => {
    const rows = documentedValues(yaml);
    for (const { path, fallback, text } of rows) {
      const value = path.split(".").reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], parse(yaml));
      expect(JSON.parse(fallback), path).toEqual(value);
      expect(text.length, path).toBeGreaterThan(2);
      expect(readme).toContain(`\`${path}\``);
    }
    // every leaf is a row's, or inside a row's
    const leaves = (value: unknown, path: string): string[] =>
      typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length > 0
        ? Object.entries(value).flatMap(([name, inner]) => leaves(inner, path === "" ? name : `${path}.${name}`))
        : [path];
    const undocumented = leaves(parse(yaml), "").filter(
      (leaf) => !rows.some(({ path }) => leaf === path || leaf.startsWith(`${path}.`)),
    );
    expect(undocumented).toEqual([]);
  });

  it("refuses to leave a value without a comment", () => {
    expect(() => documentedValues("a:\n  # -- documented\n  b: 1\n  c: 2\n")).toThrow(
      'a.c has no comment that begins with "--"',
    );
  });
});

describe("the schema of the values", () => {
  it("knows every value, and no value that is not there", () => {
    const visit = (value: unknown, at: Schema, path: string): void => {
      const { properties, type } = resolve(at);
      if (type !== "object" || properties === undefined) return;
      const known = Object.keys(properties).filter(
        (name) => name !== "global" && `${path}.${name}` !== ".resources.claims",
      );
      const there = Object.keys(value as object);
      // what a map may hold beyond the defaults is closed, not listed
      const optional = path.endsWith(".resources") ? ["requests", "limits", "claims"] : [];
      expect(
        known.filter((name) => !there.includes(name) && !optional.includes(name)),
        path,
      ).toEqual([]);
      expect(
        there.filter((name) => !known.includes(name)),
        path,
      ).toEqual([]);
      for (const name of there)
        visit((value as Record<string, unknown>)[name], properties[name] ?? {}, `${path}.${name}`);
    };
    visit(parse(yaml), schema, "");
  });

  it("is closed wherever it names fields", () => {
    const open: string[] = [];
    const visit = (at: unknown, path: string): void => {
      if (typeof at !== "object" || at === null) return;
      const { properties, additionalProperties } = at as Schema;
      if (typeof properties === "object" && "type" in at && additionalProperties !== false) open.push(path);
      for (const [name, inner] of Object.entries(at)) visit(inner, `${path}/${name}`);
    };
    visit(schema, "");
    expect(open).toEqual([]);
  });
});
