import type { NoteSigner } from "@rynxs/event-store/trust";
import type { Context } from "../context.js";
import { usageError } from "../exit.js";
import { defaultKeyFile, originOfFlags, signersOf, type SigningFlags } from "../trust-keys.js";

export type KeyAction = "generate" | "show";

/** Makes the key that a log's checkpoints are signed with, or prints the public half of it. */
export async function key(action: KeyAction, flags: SigningFlags, { output }: Context): Promise<void> {
  if (action === "show") {
    const keys = await Promise.all((await signersOf(flags)).map(shown));
    await output.result(keys.map(({ key }) => key).join("\n"), { keys });
    return;
  }
  const { signingKey = [], signerCommand } = flags;
  if (signerCommand !== undefined || signingKey.length > 1)
    throw usageError("generate makes one key, in a file", "give at most one --signing-key FILE");
  const origin = await originOfFlags(flags);
  if (origin === null)
    throw usageError("a log in a file has no name of its own", "give one with --origin, as in example.com/my-log");
  const { generateKeyFile } = await import("@rynxs/event-store/trust");
  const file = signingKey[0] ?? (await defaultKeyFile(origin));
  const made = await shown(await generateKeyFile(file, origin));
  output.note(
    `the signing key is in ${file}: keep it where whoever can write the log cannot read it, and a copy elsewhere`,
  );
  await output.result(made.key, { ...made, file });
}

async function shown(signer: NoteSigner): Promise<{ readonly key: string; readonly origin: string }> {
  const { formatVerifierKey } = await import("@rynxs/event-store/trust");
  return { key: formatVerifierKey(signer.key), origin: signer.key.name };
}
