import { availableParallelism } from "node:os";
import type { EventStore } from "@rynxs/event-store";
import type { TrustReport } from "@rynxs/event-store/trust";
import type { Context } from "../context.js";
import { CliError, describe, EXIT, failureText, usageError } from "../exit.js";
import { openStore, showHead, withStore } from "../options.js";
import { paint } from "../output.js";
import { startProgress } from "../progress.js";
import { count, oneLine } from "../text.js";
import { checkpointJson, signedBy } from "../trust-text.js";
import { readText, trustOf, verifierMemory, type TrustFlags } from "../trust-keys.js";
import type { VerifyFlags } from "./verify.js";

export interface VerifyTrustFlags extends VerifyFlags, TrustFlags {
  readonly checkpoint?: string;
  readonly fromCheckpoint?: string;
  /** False: remember nothing. */
  readonly state?: string | false;
  readonly since?: "state" | "start";
}

const MAX_DEFAULT_JOBS = 8;

/** Verifies a log as somebody does who trusts a key and nothing else. @returns the exit code */
export async function verifyWithKey(flags: VerifyTrustFlags, { output, interrupts }: Context): Promise<number> {
  const trust = await trustOf(flags);
  const { verifyTrust } = await import("@rynxs/event-store/trust");
  const origin = trust.origin ?? trust.keys[0]?.name ?? "";
  const memory = flags.state === false ? undefined : await verifierMemory(origin, flags.state);
  if (flags.since === "state" && ((await memory?.read()) ?? null) === null)
    throw usageError("nothing is remembered of this log", "verify it once without --since");
  const [checkpoint, fromCheckpoint] = await Promise.all([textOf(flags.checkpoint), textOf(flags.fromCheckpoint)]);
  try {
    const report = await withStore(openStore(flags, output, { readOnly: true }), async (store) => {
      const progress = await startProgress("verifying", await likelyEvents(store));
      try {
        return await verifyTrust(store, {
          ...trust,
          checkpoint,
          fromCheckpoint,
          memory,
          full: flags.since === "start" || (flags.since === undefined && fromCheckpoint === undefined),
          expectedHead: flags.expectHead,
          segments: flags.segments ?? false,
          workers: flags.jobs ?? Math.min(availableParallelism(), MAX_DEFAULT_JOBS),
          signal: interrupts.stop,
          onProgress: ({ seq }) => {
            progress.update(seq + 1);
          },
        });
      } finally {
        progress.stop();
      }
    });
    await output.result(textReport(report), jsonReport(report));
    return EXIT.ok;
  } catch (error) {
    const failure = describe(error);
    if (failure.exitCode !== EXIT.unverified) throw error;
    const { code, message, facts, hint } = failure;
    if (output.json) throw new CliError(code, message, { facts, hint, done: { valid: false }, cause: error });
    await output.line(`${paint("red", "NOT VALID")}: ${code}`);
    await output.flush();
    output.note(failureText(failure));
    return EXIT.unverified;
  }
}

async function textOf(file: string | undefined): Promise<string | undefined> {
  return file === undefined ? undefined : await readText(file);
}

async function likelyEvents(store: EventStore): Promise<number | undefined> {
  if (!process.stderr.isTTY) return undefined;
  const head = await store.head().catch(() => undefined);
  return head === undefined ? undefined : head.seq + 1;
}

function textReport({ events, from, head, checkpoint, unsigned, remembered }: TrustReport): string {
  const before = from === 0 ? "" : `; those before seq ${String(from)} were verified earlier`;
  return [
    `${paint("green", "valid")}: ${count(events, "event")}${before}`,
    `log        ${oneLine(checkpoint.origin)}`,
    `signed     ${count(checkpoint.size, "event")}, by ${signedBy(checkpoint)}`,
    `not yet signed: ${String(unsigned)}`,
    ...(remembered === null
      ? []
      : [`goes on from the checkpoint of ${count(remembered, "event")} that was seen before`]),
    `head       ${showHead(head)}`,
  ].join("\n");
}

function jsonReport({ events, from, head, checkpoint, unsigned, remembered }: TrustReport): Record<string, unknown> {
  return {
    valid: true,
    events,
    from,
    head: { seq: head.seq, hash: head.hash },
    checkpoint: checkpointJson(checkpoint),
    unsigned,
    remembered,
  };
}
