import type { LifecyclePolicy, LifecycleView, RuleView } from "@rynxs/event-store";
import { lifecycleOf } from "@rynxs/event-store";
import type { Context } from "../context.js";
import { usageError } from "../exit.js";
import type { StoreFlags } from "../options.js";
import { bucketLog } from "../options.js";
import type { Output } from "../output.js";
import { paint } from "../output.js";
import { count, oneLine } from "../text.js";

export type LifecycleAction = "show" | "apply" | "remove";

export interface LifecycleFlags extends StoreFlags {
  readonly class?: string;
  readonly days?: number;
  readonly expireSnapshots?: number;
  readonly yes?: true;
}

/** Shows the bucket's lifecycle rules, or what it would change about the log's own; with --yes it does so. */
export async function lifecycle(
  action: LifecycleAction,
  flags: LifecycleFlags,
  { output, interrupts }: Context,
): Promise<void> {
  const policy = policyOf(action, flags);
  const rules = await lifecycleOf(await bucketLog(flags));
  const { stop: signal } = interrupts;
  try {
    if (policy === null) await report(await rules.show({ signal }), "shown", output);
    else if (flags.yes) await report(await rules.apply(policy, { signal: interrupts.abort }), "applied", output);
    else await report(await rules.plan(policy, { signal }), "planned", output);
  } finally {
    await rules.close();
  }
}

/** Null: only look. */
function policyOf(action: LifecycleAction, flags: LifecycleFlags): LifecyclePolicy | null {
  const { class: storageClass, days, expireSnapshots: expireSnapshotsDays } = flags;
  const given = storageClass !== undefined || days !== undefined || expireSnapshotsDays !== undefined;
  if (action !== "apply" && given)
    throw usageError(`--class, --days and --expire-snapshots go with apply, not with ${action}`);
  if (action === "show" && flags.yes) throw usageError("--yes goes with apply and remove");
  if (action === "show") return null;
  if (action === "remove") return {};
  if (!given) {
    throw usageError(
      "apply what?",
      "give --class and --days for segments, or --expire-snapshots; rynxs lifecycle remove takes all away",
    );
  }
  if (storageClass === undefined && days === undefined) return { expireSnapshotsDays };
  if (storageClass === undefined || days === undefined) {
    throw usageError("--class and --days go together", "for example --class GLACIER_IR --days 90");
  }
  return { segments: { storageClass, days }, expireSnapshotsDays };
}

async function report(view: LifecycleView, what: "shown" | "planned" | "applied", output: Output): Promise<void> {
  const { rules, changed, warnings } = view;
  for (const message of warnings) if (!output.json) output.warn({ code: "LIFECYCLE_RULE_HARMS_LOG", message });
  const planned = what === "shown" ? {} : { changed, applied: what === "applied" && changed };
  await output.result(textOf(view, what), { rules, ...planned, warnings });
  if (what === "planned" && changed && !output.json)
    output.note("nothing was changed: run it again with --yes to do so");
}

function textOf({ rules, changed }: LifecycleView, what: "shown" | "planned" | "applied"): string {
  const lines = rules.map(ruleText);
  if (what === "shown")
    return [rules.length === 0 ? "no lifecycle rules" : count(rules.length, "rule"), ...lines].join("\n");
  const verdict = !changed ? "nothing to change" : what === "applied" ? "changed" : "would change";
  return [...lines, verdict].join("\n");
}

function ruleText({ id, ours, enabled, prefix, does, change }: RuleView): string {
  const where = prefix === "" ? "the whole bucket" : prefix;
  const facts = [ours ? "ours" : "not ours", ...(enabled ? [] : ["disabled"])].join(", ");
  const text = oneLine(`${id === "" ? "(no id)" : id}  ${where}  ${does.join("; ")}  (${facts})`);
  if (change === "add") return paint("green", `+ ${text}`);
  return change === "remove" ? paint("red", `- ${text}`) : `  ${text}`;
}
