import type { KeyStore, ShredReport } from "@rynxs/event-store/crypto";
import type { EventStore } from "@rynxs/event-store";
import type { Context } from "../context.js";
import { CliError } from "../exit.js";
import type { StoreFlags } from "../options.js";
import { openStore, storeFlags, withStore } from "../options.js";
import { count, oneLine } from "../text.js";

export interface ShredFlags extends StoreFlags {
  readonly keys?: string;
  readonly reason?: string;
  readonly yes?: true;
  /** Read the whole log to say how many events it is about. */
  readonly count?: true;
  readonly allowVersioned?: true;
}

export async function shred(name: string, flags: ShredFlags, context: Context): Promise<void> {
  const { output } = context;
  const crypto = await import("@rynxs/event-store/crypto");
  const subject = crypto.subjectFrom(process.env, name);
  const place = { ...storeFlags(flags), keys: flags.keys, onWarning: output.warn };
  const keys = await crypto.openKeyStore(process.env, place);
  try {
    await withStore(openStore(flags, output, { readOnly: true }), (store) =>
      flags.yes ? destroy(subject, { store, keys }, flags, context) : show(subject, { store, keys }, flags, context),
    );
  } finally {
    await keys.close();
  }
}

interface Places {
  readonly store: EventStore;
  readonly keys: KeyStore;
}

/** What would be destroyed. */
async function show(subject: string, { store, keys }: Places, flags: ShredFlags, context: Context): Promise<void> {
  const { output, interrupts } = context;
  const found = await keys.get(subject);
  if (found === null) throw neverHad(subject, keys);
  const { countEncrypted } = await import("@rynxs/event-store/crypto");
  const events = flags.count ? await countEncrypted(store, subject, { signal: interrupts.stop }) : undefined;
  const remains = (await keys.remains?.()) ?? undefined;
  const { record } = found;
  const versions = record.state === "live" ? record.keys.length : record.versions;
  const destroyedAt = record.state === "live" ? undefined : record.at;
  const shown = oneLine(subject);
  const what = `${count(versions, "key version")} of ${shown} in ${keys.location}`;
  const lines = [
    destroyedAt === undefined
      ? `would destroy ${what}`
      : `already destroyed, ${new Date(destroyedAt).toISOString()}: ${what}`,
    ...(events === undefined ? [] : [`${count(events, "event")} of ${store.location} can be read with them alone`]),
    ...(remains === undefined ? [] : [`but ${remains}`]),
    destroyedAt === undefined
      ? "nothing was destroyed: run it again with --yes"
      : "run it again with --yes to make sure that the log records it",
  ];
  await output.result(lines.join("\n"), {
    subject,
    destroyed: destroyedAt !== undefined,
    destroyed_at: destroyedAt,
    key_versions: versions,
    events,
    remains,
  });
}

async function destroy(subject: string, { store, keys }: Places, flags: ShredFlags, context: Context): Promise<void> {
  const { output, interrupts } = context;
  const remains = (await keys.remains?.()) ?? undefined;
  if (remains !== undefined && !flags.allowVersioned) throw recoverable(remains);
  const { shred: shredSubject } = await import("@rynxs/event-store/crypto");
  const { reason } = flags;
  const report = await shredSubject(store, keys, subject, { reason, signal: interrupts.stop });
  const text = remains === undefined ? textOf(report) : `${textOf(report)}\nbut ${remains}`;
  const { destroyedAt, keyVersions, repeated, seq, recorded } = report;
  await output.result(text, {
    subject,
    destroyed: true,
    destroyed_at: destroyedAt,
    key_versions: keyVersions,
    repeated,
    seq,
    recorded,
    remains,
  });
}

function textOf({ subject, keyVersions, destroyedAt, repeated, seq, recorded }: ShredReport): string {
  const when = repeated ? ` before, ${new Date(destroyedAt).toISOString()}` : "";
  const event = `SubjectShredded, seq ${String(seq)}`;
  return `destroyed${when}: ${count(keyVersions, "key version")} of ${oneLine(subject)}\n${recorded ? "already recorded" : "recorded"}: ${event}`;
}

function neverHad(subject: string, keys: KeyStore): CliError {
  return new CliError("KEY_MISSING", "the subject has no keys, and never had any", {
    facts: { actual: subject, key: keys.location },
    hint: "check its spelling, --keys, and whether the log has pseudonyms (RYNXS_CRYPTO_PSEUDONYM_KEY)",
  });
}

function recoverable(remains: string): CliError {
  return new CliError("UNSAFE_BACKEND", `the keys could be had back: ${remains}; nothing was destroyed`, {
    hint: "keep keys in a bucket that was never versioned; or shred with --allow-versioned and then delete the old versions, as docs/operations/shredding.md says",
  });
}
