import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (file: string): string => fileURLToPath(new URL(`packages/${file}`, import.meta.url));
const library = (file: string): string => source(`event-store/src/${file}`);
const operator = (file: string): string => source(`operator/src/${file}`);

export default defineConfig({
  resolve: {
    // The sources, not what the last build left. Tests that start the command line as a process use the build.
    alias: [
      { find: /^@rynxs\/event-store$/, replacement: library("index.ts") },
      { find: /^@rynxs\/event-store\/open$/, replacement: library("stores/open.ts") },
      { find: /^@rynxs\/event-store\/testing$/, replacement: library("testing/index.ts") },
      { find: /^@rynxs\/event-store\/trust$/, replacement: library("trust/index.ts") },
      { find: /^@rynxs\/event-store\/s3$/, replacement: library("objects/s3/index.ts") },
      { find: /^@rynxs\/event-store\/crypto$/, replacement: library("crypto/index.ts") },
      { find: /^@rynxs\/operator$/, replacement: operator("index.ts") },
      { find: /^@rynxs\/operator\/testing$/, replacement: operator("testing/index.ts") },
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
