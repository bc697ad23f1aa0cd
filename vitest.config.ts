import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const library = (file: string): string => fileURLToPath(new URL(`packages/event-store/src/${file}`, import.meta.url));

export default defineConfig({
  resolve: {
    // The sources, not what the last build left. Tests that start the command line as a process use the build.
    alias: [
      { find: /^@rynxs\/event-store$/, replacement: library("index.ts") },
      { find: /^@rynxs\/event-store\/open$/, replacement: library("stores/open.ts") },
      { find: /^@rynxs\/event-store\/testing$/, replacement: library("testing/index.ts") },
    ],
  },
  test: {
    include: ["packages/*/test/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    coverage: { provider: "v8", include: ["packages/*/src/**/*.ts"], reporter: ["text-summary", "html"] },
  },
});
