// Vitest reporter: writes how many single tests passed, failed and were skipped to the file that RYNXS_TEST_COUNTS names.

import { writeFileSync } from "node:fs";

export default class CountReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const module of modules) {
      // a file that does not load, or a hook that throws, fails without any test of its own that could say so
      counts.failed += failures(module);
      for (const suite of module.children.allSuites()) counts.failed += failures(suite);
      for (const test of module.children.allTests()) counts[test.result().state] += 1;
    }
    writeFileSync(process.env.RYNXS_TEST_COUNTS, JSON.stringify(counts));
  }
}

const failures = (task) => (task.errors().length > 0 ? 1 : 0);
