import { readFileSync } from "node:fs";

/** Golden data written by the Python system: see test/vectors/README.md. */
export const VECTORS: URL = new URL("../vectors/", import.meta.url);

export function vector(name: string): Buffer {
  return readFileSync(new URL(name, VECTORS));
}

export function vectorLines<T>(name: string): T[] {
  return vector(name)
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as T);
}

// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller knows what the vector holds
export function vectorJson<T>(name: string): T {
  return JSON.parse(vector(name).toString("utf8")) as T;
}
