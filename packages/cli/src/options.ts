import type { BucketLog, EventStore, Head, RetentionMode } from "@rynxs/event-store";
import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import type { Output } from "./output.js";

export interface StoreFlags {
  readonly store?: string;
  readonly endpoint?: string;
  readonly region?: string;
}

export interface RetainFlags extends StoreFlags {
  readonly retain?: string;
  readonly retainMode?: RetentionMode;
}

/** Of commands that write events. */
export function addRetainOptions(command: Command): Command {
  return command
    .option("--retain <period>", "Object Lock: keep each event object so long, as 30d, 12mo or 7y")
    .option("--retain-mode <mode>", "GOVERNANCE (default) or COMPLIANCE, which nobody can take back", parseRetainMode);
}

export function addStoreOptions(command: Command): Command {
  return command
    .option("--store <location>", "file:PATH or s3://BUCKET/PREFIX (default: as the environment says)")
    .option("--endpoint <url>", "of an S3 server other than AWS")
    .option("--region <name>", "of the S3 bucket");
}

/** The store that the flags and the environment name. `readOnly` creates and repairs nothing. */
export async function openStore(
  flags: RetainFlags,
  output: Output,
  options: { readOnly: boolean; oldestVersions?: boolean },
): Promise<EventStore> {
  const { openEventStore } = await import("@rynxs/event-store/open");
  const { retain, retainMode } = flags;
  return await openEventStore(process.env, {
    ...storeFlags(flags),
    ...(retain !== undefined && { retain }),
    ...(retainMode !== undefined && { retainMode }),
    ...options,
    onWarning: output.warn,
  });
}

/** The log that the flags and the environment name, for what is about its bucket. */
export async function bucketLog(flags: StoreFlags): Promise<BucketLog> {
  const { storeConfig } = await import("@rynxs/event-store/open");
  return storeConfig(process.env, storeFlags(flags));
}

/** Only the flags that were given: the library tells an absent option from an undefined one. */
export function storeFlags({ store, endpoint, region }: StoreFlags): StoreFlags {
  return {
    ...(store === undefined ? {} : { store }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
  };
}

/** Gives `use` an open store and closes it whatever happens. */
export async function withStore<T>(open: Promise<EventStore>, use: (store: EventStore) => Promise<T>): Promise<T> {
  const store = await open;
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

export function parseRetainMode(text: string): RetentionMode {
  const mode = text.toUpperCase();
  if (mode !== "GOVERNANCE" && mode !== "COMPLIANCE") throw new InvalidArgumentError("Give GOVERNANCE or COMPLIANCE.");
  return mode;
}

const LAST_SEQ = 9_999_999_999;

export function parseSeq(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new InvalidArgumentError(`A seq is an integer from 0 to ${String(LAST_SEQ)}.`);
  return Number(text);
}

export function parseCount(max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : 0;
    if (value < 1 || value > max) throw new InvalidArgumentError(`Give an integer from 1 to ${String(max)}.`);
    return value;
  };
}

export function parseVersion(text: string): number {
  if (!/^\d{1,11}$/.test(text)) throw new InvalidArgumentError("A version is the number of an aggregate's events.");
  return Number(text);
}

export function parseSeconds(text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
  if (value < 0.05 || value > 86_400) throw new InvalidArgumentError("Give seconds from 0.05 to 86400.");
  return value;
}

/** How old an event object must be before it may be pruned. */
export function parseHours(text: string): number {
  const value = /^\d{1,7}(\.\d+)?$/.test(text) ? Number(text) : 0;
  if (value < 24) throw new InvalidArgumentError("Give 24 hours or more: suspended writers must find the keys taken.");
  return value;
}

/** `HOST:PORT`, `[::1]:PORT`; port 0 is any free one. */
export function parseListen(text: string): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, port = ""] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > 65_535) throw new InvalidArgumentError("Give HOST:PORT, as 127.0.0.1:8080.");
  return { host, port: Number(port) };
}

export function parseHash(text: string): string {
  if (!/^[0-9a-f]{64}$/.test(text)) throw new InvalidArgumentError("A hash is 64 lowercase hex digits.");
  return text;
}

/** `SEQ:HASH`, as `rynxs head` prints it; `-1:` and 64 zeros for an empty log. */
export function parseHead(text: string): Head {
  const [, seq, hash] = /^(-1|\d{1,10}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq === undefined || hash === undefined || (seq === "-1" && !/^0+$/.test(hash))) {
    throw new InvalidArgumentError("Give SEQ:HASH as `rynxs head` prints it: a seq, a colon, 64 lowercase hex digits.");
  }
  return { seq: Number(seq), hash };
}

export function parseTimestamp(text: string): number | bigint {
  if (!/^-?\d+$/.test(text)) throw new InvalidArgumentError("A timestamp is an integer (its unit is yours).");
  const value = Number(text);
  if (!Number.isSafeInteger(value)) return BigInt(text);
  return value === 0 ? 0 : value;
}

/** A head as one word that can be copied: `199:500ebcd1…`. */
export function showHead(head: Head): string {
  return `${String(head.seq)}:${head.hash}`;
}
