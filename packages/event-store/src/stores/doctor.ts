import { headText } from "../core/head-check.js";
import { check, examineObjects, type Check, type Finding } from "../log/examine-objects.js";
import { LogKeys } from "../log/keys.js";
import { examineFile } from "./examine-file.js";
import { openEventStore, storeConfig, type Environment, type StoreConfig, type StoreOverrides } from "./open.js";

export interface ExamineOptions {
  /**
   * Also try whether the bucket's policy is enforced, with an unconditional put and a conditional one on a key that looks like an event's to
   * policies and is none to readers (`0-probe-01.json`). It is deleted again where that is allowed. Default false.
   */
  readonly probePolicy?: boolean | undefined;
}

/**
 * Finds out whether the store that the environment names is safe to use, one check after the other, and then, of a bucket, what protects
 * it (checks with a `status`, which are advice). Writes probes beside the log and removes them, also when it is left half-way; the log
 * itself is only read. @throws ConfigError before the first check
 */
export async function* examine(
  env: Environment,
  overrides: StoreOverrides = {},
  options: ExamineOptions = {},
): AsyncGenerator<Check, void, undefined> {
  const config = storeConfig(env, overrides);
  const usable = yield* config.type === "file" ? examineFile(config.path) : examineBucket(config);
  if (!usable) return;
  yield await check("log", () => examineTail(env, overrides));
  if (config.type === "s3") yield* examineProtection(config, options);
}

/** What of a bucket's protection is in force, alone: writes nothing without `probePolicy`. @throws ConfigError */
export async function* examineProtection(
  config: StoreConfig & { type: "s3" },
  { probePolicy = false }: ExamineOptions = {},
): AsyncGenerator<Check, void, undefined> {
  const { openS3Objects, openS3Upkeep } = await import("../objects/s3/index.js");
  const { examineHardening } = await import("./hardening/examine-hardening.js");
  // Servers that do not know a question may answer as if they were broken.
  const upkeep = openS3Upkeep({ ...config, retryDeadlineMs: 2_000 });
  const { security, origin, aws } = upkeep;
  const objects = probePolicy ? openS3Objects(config) : null;
  const keys = new LogKeys(config.prefix, config.headKey);
  try {
    yield* examineHardening({
      bucket: config.bucket,
      keys,
      security,
      origin,
      aws,
      ...(objects && { probe: { objects } }),
    });
  } finally {
    await upkeep.close();
    await objects?.close();
  }
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
