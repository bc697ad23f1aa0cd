// What tsc wrote, in few files: Node takes about as long to find and load a module as to run a small command, and the
// library has a hundred. Types, and modules that tests look into, stay in dist/.

import { rm } from "node:fs/promises";
import { rolldown } from "rolldown";

const packages = [
  {
    folder: "packages/event-store",
    entries: {
      index: "index.js",
      open: "stores/open.js",
      s3: "objects/s3/index.js",
      crypto: "crypto/index.js",
      testing: "testing/index.js",
      trust: "trust/index.js",
      // A thread's code: found by its name, beside whichever file starts it.
      "run-worker": "stores/file/run-worker.js",
      "tree-worker": "trust/verify/tree-worker.js",
    },
  },
  {
    folder: "packages/operator",
    entries: { index: "index.js", main: "main.js", testing: "testing/index.js" },
  },
  { folder: "packages/cli", entries: { main: "main.js" } },
];

for (const { folder, entries } of packages) {
  await rm(`${folder}/build`, { recursive: true, force: true });
  const bundle = await rolldown({
    input: Object.fromEntries(Object.entries(entries).map(([name, file]) => [name, `${folder}/dist/${file}`])),
    platform: "node",
    // Other packages stay what they are.
    external: /^[^./]/,
    logLevel: "warn",
  });
  await bundle.write({
    dir: `${folder}/build`,
    format: "esm",
    entryFileNames: "[name].js",
    chunkFileNames: "[name]-[hash].js",
  });
  await bundle.close();
}
