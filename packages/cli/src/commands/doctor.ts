import { examine } from "@rynxs/event-store";
import type { Context } from "../context.js";
import { CliError, EXIT } from "../exit.js";
import type { StoreFlags } from "../options.js";
import { storeFlags } from "../options.js";
import { paint } from "../output.js";
import { oneLine } from "../text.js";

/** @returns the exit code: the checks themselves are the output, also when one fails */
export async function doctor(flags: StoreFlags, { output, interrupts }: Context): Promise<number> {
  const checks: { name: string; ok: boolean; detail: string; hint?: string }[] = [];
  for await (const { name, ok, detail, hint } of examine(process.env, {
    ...storeFlags(flags),
    onWarning: output.warn,
  })) {
    checks.push({ name, ok, detail, ...(hint === undefined ? {} : { hint }) });
    if (!output.json) {
      await output.line(`${ok ? paint("green", "✓") : paint("red", "✗")} ${name.padEnd(20)}  ${oneLine(detail)}`);
      if (!ok && hint !== undefined) await output.line(`  what to do: ${oneLine(hint)}`);
      await output.flush();
    }
    // leaving the loop lets the examination remove its probes
    if (interrupts.stop.aborted) break;
  }
  if (interrupts.stop.aborted) throw new CliError("INTERRUPTED", "stopped by a signal");
  const failed = checks.filter((check) => !check.ok).length;
  const verdict =
    failed === 0 ? "safe to use" : `NOT safe to use: ${String(failed)} of ${String(checks.length)} checks failed`;
  await output.result(failed === 0 ? paint("green", verdict) : paint("red", verdict), { ok: failed === 0, checks });
  return failed === 0 ? EXIT.ok : EXIT.failed;
}
