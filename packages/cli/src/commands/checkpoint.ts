import type { Checkpointer, CheckpointReport, Published } from "@rynxs/event-store/trust";
import type { Context } from "../context.js";
import { describe, usageError } from "../exit.js";
import { pause } from "../interrupts.js";
import { openStore, withStore } from "../options.js";
import { startProgress } from "../progress.js";
import { count } from "../text.js";
import { cosigningOf, type WitnessesFlags } from "../witnesses.js";
import { signerMemory, signersOf, verifierKeys, type SigningFlags } from "../trust-keys.js";

export interface CheckpointFlags extends SigningFlags, WitnessesFlags {
  readonly every?: number;
  readonly watch?: true;
  /** Seconds between two looks. */
  readonly interval: number;
  readonly rebuild?: true;
  readonly stateDir?: string;
  readonly trustedKey?: readonly string[];
}

/** Signs what the log holds; with --watch, and what is appended. */
export async function checkpoint(flags: CheckpointFlags, context: Context): Promise<void> {
  const { output, interrupts } = context;
  const signers = await signersOf(flags);
  const [first] = signers;
  if (first === undefined) throw usageError("which key?");
  const origin = flags.origin ?? first.key.name;
  const { Checkpointer } = await import("@rynxs/event-store/trust");
  const trusted = await verifierKeys(flags.trustedKey ?? []);
  const memories = await Promise.all(signers.map((signer) => signerMemory(signer, origin, flags.stateDir)));
  const cosign = await cosigningOf(flags, output, interrupts.stop);
  await withStore(openStore(flags, output, { readOnly: true }), async (store) => {
    const checkpointer = new Checkpointer(store, {
      signers: signers.map((signer, i) => ({ signer, memory: memories[i] ?? fail() })),
      origin: flags.origin,
      keys: trusted,
      every: flags.every,
      atEnd: flags.watch !== true || flags.every === undefined,
      rebuild: flags.rebuild,
      cosign,
      onProgress: ({ size }) => {
        progress.update(size);
      },
      onCheckpoint: flags.watch === true ? (signed) => report(signed, context) : undefined,
    });
    const progress = await startProgress("checkpointing");
    try {
      if (flags.watch === true) await watch(checkpointer, flags, context);
      else await conclude(await checkpointer.run(interrupts.stop), context);
    } finally {
      progress.stop();
    }
  });
}

async function watch(checkpointer: Checkpointer, { interval }: CheckpointFlags, context: Context): Promise<void> {
  const { output, interrupts } = context;
  let troubled = false;
  while (!interrupts.stop.aborted && !output.closed) {
    try {
      await checkpointer.run(interrupts.stop);
      troubled = false;
    } catch (error) {
      const failure = describe(error);
      if (failure.code === "ABORTED") return;
      if (failure.code !== "UNAVAILABLE") throw error;
      if (!troubled) output.note(`warning ${failure.code}: ${failure.message}; trying again`);
      troubled = true;
    }
    await pause(interval * 1000, interrupts.stop);
  }
}

async function report(signed: Published, { output }: Context): Promise<void> {
  await output.result(`signed ${count(signed.size, "event")}`, json(signed));
  await output.flush();
}

async function conclude({ signed, latest, head }: CheckpointReport, { output }: Context): Promise<void> {
  if (latest === null) {
    await output.result("the log is empty: nothing to sign", { signed: 0, checkpoint: null });
    return;
  }
  const rest = head.seq + 1 - latest.size;
  const did = signed === 0 ? "nothing new to sign" : `${count(signed, "checkpoint")} signed`;
  const behind = rest > 0 ? `, ${count(rest, "event")} behind it` : "";
  await output.result(
    `${did}; the latest has ${count(latest.size, "event")}${behind}\n${latest.body.toString().trimEnd()}`,
    { signed, unsigned: rest, checkpoint: json(latest) },
  );
}

function json({ origin, size, root, body }: Published): Record<string, unknown> {
  return { origin, size, root: root.toString("base64"), note: body.toString() };
}

function fail(): never {
  throw new Error("a signer without a memory");
}
