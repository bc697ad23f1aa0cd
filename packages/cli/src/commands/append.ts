import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import type { Conflict, NewEvent } from "@rynxs/event-store";
import { JsonText } from "@rynxs/event-store";
import type { Context } from "../context.js";
import { conflict, extend, usageError, versionConflict, type CliError } from "../exit.js";
import { decodeUtf8 } from "../lines.js";
import type { RetainFlags } from "../options.js";
import { openStore, withStore } from "../options.js";
import { appendLines } from "./append-lines.js";

export interface AppendFlags extends RetainFlags {
  readonly type?: string;
  readonly aggregate?: string;
  readonly payload?: string;
  readonly meta?: string;
  readonly ts?: number | bigint;
  readonly stdin?: true;
  readonly batch?: number;
  readonly expectPrev?: string;
  readonly expectVersion?: number;
}

export async function append(flags: AppendFlags, context: Context): Promise<void> {
  if (flags.stdin) {
    await withStore(openStore(flags, context.output, { readOnly: false }), (store) =>
      appendLines(store, flags, context),
    );
    return;
  }
  if (flags.batch !== undefined) throw usageError("--batch goes with --stdin");
  const event = await eventFromFlags(flags);
  await withStore(openStore(flags, context.output, { readOnly: false }), async (store) => {
    const { expectPrev, expectVersion } = flags;
    const expected = { expectedPrevHash: expectPrev, expectedVersion: expectVersion };
    const result = await store.append(event, { ...expected, signal: context.interrupts.abort });
    if (!result.committed) throw conflictOf(flags, result);
    const { seq, eventHash, prevHash, version } = result;
    const its = version === undefined ? "" : `  version ${String(version)}`;
    await context.output.result(`appended seq ${String(seq)}${its}  event_hash ${eventHash}`, {
      seq,
      event_hash: eventHash,
      prev_hash: prevHash,
      ...(version !== undefined && { version }),
    });
  });
}

function conflictOf({ expectPrev, expectVersion }: AppendFlags, found: Conflict): CliError {
  const { observedPrevHash, observedVersion } = found;
  return expectVersion === undefined || observedVersion === expectVersion
    ? conflict(expectPrev, observedPrevHash)
    : versionConflict(expectVersion, observedVersion);
}

async function eventFromFlags(flags: AppendFlags): Promise<NewEvent> {
  const { type, aggregate, ts } = flags;
  if (type === undefined || aggregate === undefined) {
    throw usageError(
      `${type === undefined ? "--type" : "--aggregate"} is missing`,
      "give --type and --aggregate for one event, or --stdin for NDJSON events on standard input",
    );
  }
  return {
    type,
    aggregateId: aggregate,
    ts,
    payload: await jsonObject("--payload", flags.payload),
    meta: await jsonObject("--meta", flags.meta),
  };
}

/** JSON text of an object, or with `@` in front the name of a file that holds it. */
async function jsonObject(option: string, given: string | undefined): Promise<JsonText | undefined> {
  if (given === undefined) return undefined;
  const text = given.startsWith("@") ? await readText(option, given.slice(1)) : given;
  let json: JsonText;
  try {
    json = JsonText.parse(text);
  } catch (error) {
    throw extend(error, option, {}, {});
  }
  if (!json.isObject) throw usageError(`${option} must be a JSON object`, `for example ${option} '{"value":1}'`);
  return json;
}

async function readText(option: string, file: string): Promise<string> {
  try {
    return decodeUtf8(file === "-" ? await buffer(process.stdin) : await readFile(file));
  } catch (error) {
    const why = error instanceof TypeError ? "it is not UTF-8" : error instanceof Error ? error.message : String(error);
    throw usageError(`${option}: cannot read ${file}: ${why}`, "@FILE names a file with JSON text, @- standard input");
  }
}
