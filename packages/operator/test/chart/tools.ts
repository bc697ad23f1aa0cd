import { describe, it } from "vitest";

/** A program that the tests need, or why it is not to be had. */
export type Tool = { readonly path: string } | { readonly missing: string };

interface Tools {
  readonly helm: (major: 3 | 4) => string;
  readonly promtool: () => string;
}

const required = process.env["CI"] === "true";

export async function findTool(find: (tools: Tools) => string): Promise<Tool> {
  const url = new URL("../../../../scripts/tools.mjs", import.meta.url).href;
  const tools = (await import(/* @vite-ignore */ url)) as Tools;
  try {
    return { path: find(tools) };
  } catch (error) {
    return { missing: String(error) };
  }
}

/** Without a tool the suite is skipped and says why; in CI it fails. */
export function describeWith(found: readonly Tool[], name: string, suite: (...paths: string[]) => void): void {
  const missing = found.flatMap((tool) => ("missing" in tool ? [tool.missing] : []));
  if (missing.length === 0) {
    describe(name, () => suite(...found.flatMap((tool) => ("path" in tool ? [tool.path] : []))));
    return;
  }
  const reason = missing.join("; ");
  if (!required) process.stderr.write(`Not run: ${name}: ${reason}\n`);
  describe(name, () => {
    it.skipIf(!required)("has its tools", () => {
      throw new Error(reason);
    });
  });
}
