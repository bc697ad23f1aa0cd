import type { ConformanceCase } from "./conformance/case.js";
import { listCases } from "./conformance/list-cases.js";
import { readCases } from "./conformance/read-cases.js";
import { timeCases } from "./conformance/time-cases.js";
import { writeCases } from "./conformance/write-cases.js";

export { deletePrefix, type ConformanceCase, type ConformanceContext } from "./conformance/case.js";

/**
 * What every `ObjectStore` must do, as data for any test runner:
 *
 *     for (const { name, run } of objectStoreConformance) {
 *       it(name, () => run({ open: async () => myStore(), prefix: `test-${randomUUID()}/` }));
 *     }
 *
 * A case throws an AssertionError when the store fails it. Each works below a prefix of its own and cleans up.
 */
export const objectStoreConformance: readonly ConformanceCase[] = [
  ...writeCases,
  ...readCases,
  ...listCases,
  ...timeCases,
];
