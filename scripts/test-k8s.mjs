// npm run test:k8s [-- filters and options of vitest]: the tests whose names end in .k8s.test.ts, against the cluster of
// KUBECONFIG. They create namespaces and definitions with names of their own, and delete them again.
//
// Without KUBECONFIG they run against the fake API server, as they do in npm test; that proves nothing about a real one,
// so it has to be asked for: RYNXS_TEST_K8S_FAKE=1.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

const { KUBECONFIG: kubeconfig = "", RYNXS_TEST_K8S_FAKE: fake } = process.env;
if (kubeconfig === "" && fake !== "1") {
  console.error(
    "KUBECONFIG names no cluster to test. To see the suite run against the fake one: RYNXS_TEST_K8S_FAKE=1",
  );
  process.exit(1);
}
if (kubeconfig !== "" && !existsSync(kubeconfig)) {
  console.error(`KUBECONFIG has to be the path of one file; there is no ${kubeconfig}`);
  process.exit(1);
}
const { status } = spawnSync(
  join("node_modules", ".bin", "vitest"),
  ["run", ".k8s.test.ts", ...process.argv.slice(2)],
  {
    stdio: "inherit",
    env: { ...process.env, RYNXS_TEST_KUBECONFIG: kubeconfig === "" ? "" : resolve(kubeconfig) },
  },
);
process.exitCode = status ?? 1;
