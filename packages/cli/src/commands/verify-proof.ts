import type { SignedCheckpoint } from "@rynxs/event-store/trust";
import type { Context } from "../context.js";
import { CliError, usageError } from "../exit.js";
import { inputBytes } from "../input.js";
import { paint } from "../output.js";
import { count, oneLine, prettyJson, showTime } from "../text.js";
import { checkpointJson, signedBy } from "../trust-text.js";
import { trustOf, type TrustFlags } from "../trust-keys.js";

/** A proof has at most 16 MiB. */
const MAX_BYTES = 20 * 1024 * 1024;

/** Verifies a proof file: nothing is asked of any store. */
export async function verifyProofFile(file: string, flags: TrustFlags, { output, interrupts }: Context): Promise<void> {
  const trust = await trustOf(flags);
  const text = await read(file, interrupts.stop);
  const { isConsistencyProof, verifyConsistencyProof, verifyProof } = await import("@rynxs/event-store/trust");
  if (isConsistencyProof(text)) {
    const { first, second } = verifyConsistencyProof(text, trust);
    await output.result(
      [
        `${paint("green", "valid")}: the checkpoint of ${count(second.size, "event")} goes on from the one of ${count(first.size, "event")}`,
        ...facts(second),
      ].join("\n"),
      { valid: true, first: checkpointJson(first), second: checkpointJson(second) },
    );
    return;
  }
  const { event, line, checkpoint } = verifyProof(text, trust);
  const lines = [
    `${paint("green", "valid")}: event ${String(event.seq)} is in the checkpoint of ${count(checkpoint.size, "event")}`,
    ...facts(checkpoint),
    `type       ${oneLine(event.type)}`,
    `aggregate  ${oneLine(event.aggregateId)}`,
    `ts         ${showTime(event.ts)}`,
    `hash       ${event.eventHash}`,
    prettyJson(event.payload),
  ];
  if (!output.json) {
    await output.line(lines.join("\n"));
    return;
  }
  // The record as it is stored: no digit of it is lost.
  await output.line(
    `{"valid":true,"seq":${String(event.seq)},"checkpoint":${JSON.stringify(checkpointJson(checkpoint))},"record":${line.toString()}}`,
  );
}

function facts(checkpoint: SignedCheckpoint): string[] {
  return [`log        ${oneLine(checkpoint.origin)}`, `signed by  ${signedBy(checkpoint)}`];
}

async function read(file: string, stop: AbortSignal): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of inputBytes(file, stop)) {
    parts.push(part);
    bytes += part.length;
    if (bytes > MAX_BYTES) throw usageError(`${file} is too large to be a proof`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(parts));
  } catch {
    throw new CliError("PROOF_INVALID", "this is not a proof: it is not UTF-8");
  }
}
