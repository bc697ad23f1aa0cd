import { headText } from "../core/head-check.js";
import { check, examineObjects, type Check, type Finding } from "../log/examine-objects.js";
import { LogKeys } from "../log/keys.js";
import { examineFile } from "./examine-file.js";
import { openEventStore, storeConfig, type Environment, type StoreConfig, type StoreOverrides } from "./open.js";

/**
 * Finds out whether the store that the environment names is safe to use, one check after the other. Writes probes beside
 * the log and removes them, also when it is left half-way; the log itself is only read.
 * @throws ConfigError before the first check
 */
export async function* examine(
  env: Environment,
  overrides: StoreOverrides = {},
): AsyncGenerator<Check, void, undefined> {
  const config = storeConfig(env, overrides);
  const usable = yield* config.type === "file" ? examineFile(config.path) : examineBucket(config);
  if (usable) yield await check("log", () => examineTail(env, overrides));
}

async function* examineBucket(config: StoreConfig & { type: "s3" }): AsyncGenerator<Check, boolean, undefined> {
  const { root } = new LogKeys(config.prefix, config.headKey);
  const { openS3Objects } = await import("../objects/s3/index.js");
  const objects = openS3Objects(config);
  try {
    return yield* examineObjects(objects, root);
  } finally {
    await objects.close();
  }
}

async function examineTail(env: Environment, overrides: StoreOverrides): Promise<Finding> {
  const store = await openEventStore(env, { ...overrides, readOnly: false });
  try {
    const head = await store.head();
    const report = await store.verify({ fromSeq: Math.max(0, head.seq) });
    if (report.error?.code === "TORN_TAIL")
      return `ends in an unfinished write, which the next append sets aside; head ${headText(head)}`;
    if (report.error) throw report.error;
    return head.seq < 0 ? "empty: the first append begins it" : `its end is whole; head ${headText(head)}`;
  } finally {
    await store.close();
  }
}
