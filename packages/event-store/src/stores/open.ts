import { ConfigError } from "../core/errors.js";
import type { AnyEvents, EventMap, HashVersion } from "../core/event.js";
import { LogKeys } from "../log/keys.js";
import { parseRetain } from "../log/retention.js";
import type { RetentionMode } from "../objects/locks.js";
import type { ObserveObjects } from "../objects/observed.js";
import { emitWarning, type OnWarning } from "../system/warning.js";
import type { EventStore } from "./port.js";

export type Environment = Readonly<Record<string, string | undefined>>;

/** What a caller knows better than the environment. */
export interface StoreOverrides {
  /** `file:PATH` or `s3://BUCKET/PREFIX` (without a prefix: `events`), instead of EVENT_STORE_TYPE and its variables. */
  readonly store?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  /** The store is only read: a log file must exist. */
  readonly readOnly?: boolean | undefined;
  readonly onWarning?: OnWarning | undefined;
  /** As `retain` of S3EventStore, instead of RYNXS_S3_RETAIN. There is none for a log in a file. */
  readonly retain?: string | undefined;
  /** Instead of RYNXS_S3_RETAIN_MODE. */
  readonly retainMode?: RetentionMode | undefined;
  /** As `oldestVersions` of S3EventStore. There are none of a log in a file. */
  readonly oldestVersions?: boolean | undefined;
  /** As `observe` of S3EventStore. A log in a file has no bucket: it is not called there. */
  readonly observe?: ObserveObjects | undefined;
}

/** Where a log is and how it is kept, as the environment (and overrides) say. */
export type StoreConfig =
  | {
      readonly type: "file";
      readonly path: string;
      readonly maxBytes: number | undefined;
      readonly hashVersion: HashVersion;
    }
  | {
      readonly type: "s3";
      readonly bucket: string;
      readonly prefix: string;
      readonly endpoint: string | undefined;
      readonly region: string;
      readonly useHead: boolean;
      readonly headKey: string | undefined;
      readonly skipBucketCheck: boolean;
      readonly batch: boolean;
      readonly checksums: boolean;
      readonly retain: string | undefined;
      readonly retainMode: RetentionMode;
      readonly hashVersion: HashVersion;
    };

/**
 * Opens the store that the environment names: variables and defaults in docs/SPEC.md and the README. Loads the code of that store
 * only. @throws ConfigError; BackendError
 */
export async function openEventStore<E extends EventMap = AnyEvents>(
  env: Environment,
  overrides: StoreOverrides = {},
): Promise<EventStore<E>> {
  const { onWarning = emitWarning, readOnly = false, oldestVersions = false, observe } = overrides;
  const config = storeConfig(env, overrides);
  if (config.type === "file") {
    if (oldestVersions) throw new ConfigError("a log in a file has no versions", { hint: "name a log in a bucket" });
    const { FileEventStore } = await import("./file/file-event-store.js");
    return FileEventStore.open<E>({ ...config, mustExist: readOnly, onWarning });
  }
  const { S3EventStore } = await import("./s3-event-store.js");
  return S3EventStore.open<E>({ ...config, oldestVersions, onWarning, observe });
}

/** @throws ConfigError that names the variable and its valid values */
export function storeConfig(env: Environment, overrides: StoreOverrides = {}): StoreConfig {
  const hashVersion = parseHashVersion(env["RYNXS_HASH_VERSION"]);
  const named = overrides.store === undefined ? null : parseStoreUrl(overrides.store);
  const type = named?.type ?? oneOf<"file" | "s3">("EVENT_STORE_TYPE", env["EVENT_STORE_TYPE"], ["file", "s3"], "file");
  if (type === "file") {
    if (overrides.retain !== undefined || overrides.retainMode !== undefined) {
      throw new ConfigError("a log in a file cannot be retained", {
        hint: "name a log in a bucket with Object Lock: --store s3://BUCKET/PREFIX",
      });
    }
    refuseMaxSegments(env["EVENT_STORE_MAX_SEGMENTS"]);
    const path =
      named?.type === "file" ? named.path : (set(env["EVENT_STORE_PATH"]) ?? "/var/log/rynxs/operator-events.log");
    return { type, path, maxBytes: parseMaxBytes(env["EVENT_STORE_MAX_BYTES"]), hashVersion };
  }
  const variables = { bucket: set(env["S3_BUCKET"]) ?? "rynxs-events", prefix: set(env["S3_PREFIX"]) ?? "events" };
  const place = named?.type === "s3" ? named : variables;
  return {
    type,
    bucket: place.bucket,
    prefix: place.prefix,
    endpoint: overrides.endpoint ?? set(env["S3_ENDPOINT"]),
    region: overrides.region ?? set(env["S3_REGION"]) ?? "us-east-1",
    useHead: bool("RYNXS_S3_USE_HEAD", env["RYNXS_S3_USE_HEAD"], true),
    // A head key is one log's own: of the one that the variables name.
    headKey: isSame(place, variables) ? set(env["RYNXS_S3_HEAD_KEY"]) : undefined,
    skipBucketCheck: bool("RYNXS_S3_SKIP_BUCKET_CHECK", env["RYNXS_S3_SKIP_BUCKET_CHECK"], false),
    batch: bool("RYNXS_S3_BATCH", env["RYNXS_S3_BATCH"], false),
    checksums: bool("RYNXS_S3_CHECKSUMS", env["RYNXS_S3_CHECKSUMS"], false),
    ...retainOf(env, overrides),
    hashVersion,
  };
}

/** @throws ConfigError when one of them cannot be understood, also where nothing is retained */
function retainOf(
  env: Environment,
  overrides: StoreOverrides,
): { readonly retain: string | undefined; readonly retainMode: RetentionMode } {
  const retain = overrides.retain ?? set(env["RYNXS_S3_RETAIN"]);
  const mode = overrides.retainMode ?? set(env["RYNXS_S3_RETAIN_MODE"]);
  const name = overrides.retain === undefined ? "RYNXS_S3_RETAIN" : "retain";
  return { retain, retainMode: parseRetain(retain ?? "1d", mode, name).mode };
}

interface Place {
  readonly bucket: string;
  readonly prefix: string;
}

function isSame(a: Place, b: Place): boolean {
  return a.bucket === b.bucket && new LogKeys(a.prefix).root === new LogKeys(b.prefix).root;
}

type StoreUrl =
  | { readonly type: "file"; readonly path: string }
  | { readonly type: "s3"; readonly bucket: string; readonly prefix: string };

function parseStoreUrl(text: string): StoreUrl {
  if (text.startsWith("file:")) {
    const path = text.slice("file:".length).replace(/^\/\/(?=\/)/, "");
    // file://x/y would name a host x
    if (path !== "" && !path.startsWith("//")) return { type: "file", path };
  }
  const s3 = /^s3:\/\/([^/]+)(?:\/(.*))?$/.exec(text);
  if (s3?.[1] !== undefined)
    return { type: "s3", bucket: s3[1], prefix: s3[2] === undefined || s3[2] === "" ? "events" : s3[2] };
  throw new ConfigError(`${JSON.stringify(text)} does not name a store`, {
    hint: "valid: file:PATH or s3://BUCKET/PREFIX",
  });
}

/** docs/SPEC.md, "Record": trimmed, any case. */
function parseHashVersion(value: string | undefined): HashVersion {
  switch (value?.trim().toLowerCase()) {
    case undefined:
    case "":
    case "v1":
      return 1;
    case "v2":
      return 2;
    default:
      throw invalid("RYNXS_HASH_VERSION", value, "v1, v2");
  }
}

function parseMaxBytes(value: string | undefined): number | undefined {
  const text = set(value);
  if (text === undefined) return undefined;
  const bytes = /^[0-9]+$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(bytes))
    throw invalid("EVENT_STORE_MAX_BYTES", value, "a whole number of bytes; 0 or unset: never rotate");
  return bytes === 0 ? undefined : bytes;
}

/** The Python system deleted old segments with it, which loses events and breaks the chain. */
function refuseMaxSegments(value: string | undefined): void {
  const text = set(value);
  if (text === undefined || text === "0") return;
  throw new ConfigError(
    "EVENT_STORE_MAX_SEGMENTS would delete old segments, and with them events; this store never does",
    {
      hint: "unset it; to save space, move the oldest segments to an archive yourself and verify the rest with an anchor",
    },
  );
}

function bool(name: string, value: string | undefined, fallback: boolean): boolean {
  const text = set(value)?.toLowerCase();
  if (text === undefined) return fallback;
  if (["true", "1", "yes", "on"].includes(text)) return true;
  if (["false", "0", "no", "off"].includes(text)) return false;
  throw invalid(name, value, "true, false (also 1/0, yes/no, on/off)");
}

function oneOf<T extends string>(name: string, value: string | undefined, valid: readonly T[], fallback: T): T {
  const text = set(value)?.toLowerCase();
  if (text === undefined) return fallback;
  const found = valid.find((choice) => choice === text);
  if (found === undefined) throw invalid(name, value, valid.join(", "));
  return found;
}

/** Unset and empty are the same: charts pass empty strings for what is not set. */
function set(value: string | undefined): string | undefined {
  const text = value?.trim();
  return text === "" ? undefined : text;
}

function invalid(name: string, value: string | undefined, valid: string): ConfigError {
  return new ConfigError(`${name} is ${JSON.stringify(value)}`, { hint: `valid: ${valid}` });
}
