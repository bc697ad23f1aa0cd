import { readFileSync } from "node:fs";

/** This package's version. */
export function version(): string {
  // From build/ and from dist/app/ alike, the manifest is the nearest one upwards.
  for (const path of ["../package.json", "../../package.json"]) {
    try {
      const manifest = JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8")) as {
        name: string;
        version: string;
      };
      if (manifest.name === "@rynxs/operator") return manifest.version;
    } catch {
      // the next one
    }
  }
  return "unknown";
}
