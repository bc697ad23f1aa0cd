import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** An instruction: `COPY`, its flags (`--from=build` is from: build), and its arguments as words; RUN's are one shell line. */
export interface Instruction {
  readonly name: string;
  readonly flags: Readonly<Record<string, string>>;
  readonly args: readonly string[];
  /** Everything after the name, lines joined. */
  readonly text: string;
}

export interface Stage {
  readonly base: string;
  readonly name: string | undefined;
  readonly instructions: readonly Instruction[];
}

export const repository: string = fileURLToPath(new URL("../../../../", import.meta.url));
export const source: string = readFileSync(`${repository}Dockerfile`, "utf8");

/** The instructions before the first FROM, and the stages. */
export function parseDockerfile(text: string): { readonly global: readonly Instruction[]; readonly stages: Stage[] } {
  const lines = text
    .split("\n")
    .filter((line) => !/^\s*#/.test(line))
    .join("\n")
    .replace(/\\\n/g, " ")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const global: Instruction[] = [];
  const stages: (Stage & { instructions: Instruction[] })[] = [];
  for (const line of lines) {
    const instruction = parseLine(line);
    if (instruction.name === "FROM") {
      const [base = "", as, name] = instruction.args;
      stages.push({ base, name: as?.toUpperCase() === "AS" ? name : undefined, instructions: [] });
    } else (stages.at(-1)?.instructions ?? global).push(instruction);
  }
  return { global, stages };
}

function parseLine(line: string): Instruction {
  const [, name = "", text = ""] = /^(\w+)\s+(.*)$/s.exec(line) ?? [];
  const words = text.split(/\s+/);
  const count = words.findIndex((word) => !word.startsWith("--"));
  const flags = Object.fromEntries(
    words.slice(0, Math.max(0, count)).map((word) => {
      const [flag = "", value = ""] = word.slice(2).split("=", 2);
      return [flag, value];
    }),
  );
  const rest = words.slice(Math.max(0, count));
  const args = rest[0]?.startsWith("[") ? (JSON.parse(rest.join(" ")) as string[]) : rest;
  return { name: name.toUpperCase(), flags, args: name.toUpperCase() === "RUN" ? [rest.join(" ")] : args, text };
}

/** Whether a file of the repository reaches a build: the last pattern of .dockerignore that matches it, or a folder of it, says so. */
export function inContext(path: string): boolean {
  const patterns = readFileSync(`${repository}.dockerignore`, "utf8")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  const parts = path.split("/");
  const paths = parts.map((_part, index) => parts.slice(0, index + 1).join("/"));
  let included = true;
  for (const pattern of patterns) {
    const except = pattern.startsWith("!");
    const glob = (except ? pattern.slice(1) : pattern)
      .replace(/[.+^${}()|[\]\\]/g, "\\$&")
      .replace(/\*\*/g, "\0")
      .replace(/\*/g, "[^/]*")
      .replace(/\0/g, ".*");
    if (paths.some((one) => new RegExp(`^${glob}$`).test(one))) included = except;
  }
  return included;
}
