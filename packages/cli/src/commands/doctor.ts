import type { Check } from "@rynxs/event-store";
import { examine } from "@rynxs/event-store";
import type { Context } from "../context.js";
import { CliError, EXIT } from "../exit.js";
import type { StoreFlags } from "../options.js";
import { storeFlags } from "../options.js";
import { paint } from "../output.js";
import { count, oneLine } from "../text.js";

export interface DoctorFlags extends StoreFlags {
  readonly probePolicy?: true;
}

/** @returns the exit code: the checks themselves are the output, also when one fails */
export async function doctor(flags: DoctorFlags, { output, interrupts }: Context): Promise<number> {
  const checks: Check[] = [];
  const overrides = { ...storeFlags(flags), onWarning: output.warn };
  for await (const found of examine(process.env, overrides, { probePolicy: flags.probePolicy ?? false })) {
    const { name, ok, status, detail, hint } = found;
    const check = {
      ...{ name, ok },
      ...(status !== undefined && { status }),
      detail,
      ...(hint !== undefined && { hint }),
    };
    checks.push(check);
    if (!output.json) {
      for (const line of checkLines(check)) await output.line(line);
      await output.flush();
    }
    // leaving the loop lets the examination remove its probes
    if (interrupts.stop.aborted) break;
  }
  if (interrupts.stop.aborted) throw new CliError("INTERRUPTED", "stopped by a signal");
  const failed = checks.filter((check) => !check.ok).length;
  const advised = checks.filter(({ status }) => status === "advice").length;
  const advice = advised === 0 ? "" : `; ${count(advised, "point")} of advice`;
  const verdict =
    failed === 0
      ? `safe to use${advice}`
      : `NOT safe to use: ${String(failed)} of ${String(checks.filter(({ status }) => status === undefined).length)} checks failed`;
  await output.result(failed === 0 ? paint("green", verdict) : paint("red", verdict), { ok: failed === 0, checks });
  return failed === 0 ? EXIT.ok : EXIT.failed;
}

/** A check for people: what was seen, and what to do. */
export function checkLines({ name, ok, status, detail, hint }: Check): string[] {
  const told = !ok || status === "advice" || status === "denied";
  const lines = [`${markOf(ok, status)} ${name.padEnd(20)}  ${oneLine(detail)}`];
  if (told && hint !== undefined) lines.push(`  what to do: ${oneLine(hint)}`);
  return lines;
}

function markOf(ok: boolean, status: Check["status"]): string {
  if (!ok) return paint("red", "✗");
  if (status === "advice") return "!";
  return status === "unsupported" || status === "denied" ? "–" : paint("green", "✓");
}
