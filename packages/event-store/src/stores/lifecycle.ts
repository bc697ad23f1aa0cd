import { BackendError, ConfigError } from "../core/errors.js";
import type { LogKeys } from "../log/keys.js";
import type { BucketLifecycle, LifecycleDocument, LifecycleOptions } from "../objects/lifecycle.js";
import { changeRules, parseRules, sameRule, type LifecycleRule } from "../objects/s3/lifecycle-rules.js";
import type { S3Upkeep } from "../objects/s3/open.js";
import { systemRuntime, type Runtime } from "../system/runtime.js";
import { checkPolicy, harmOf, ownIds, policyRules, type LifecyclePolicy } from "./lifecycle-policy.js";
import { openUpkeep, type BucketLog } from "./bucket-upkeep.js";

/** The lifecycle rules of a log's bucket, with those of the log told from those of others. */
export interface LogLifecycle {
  /** All rules of the bucket. */
  show(options?: LifecycleOptions): Promise<LifecycleView>;
  /** What `apply` would do. Changes nothing. @throws ConfigError when the policy is not sensible */
  plan(policy: LifecyclePolicy, options?: LifecycleOptions): Promise<LifecycleView>;
  /**
   * Makes the log's own rules be what the policy says, and no others: an empty policy removes them. All other rules are
   * written back as they were. Nothing is written when there is nothing to change.
   * @throws ConfigError; BackendError CONTENTION when the rules that are then read back are not these: rules cannot be written
   *   under a condition, so somebody who changes them in the same moment undoes this change, or has theirs undone
   */
  apply(policy: LifecyclePolicy, options?: LifecycleOptions): Promise<LifecycleView>;
  close(): Promise<void>;
}

export interface LifecycleView {
  /** In the order of the bucket's document, new ones last. */
  readonly rules: readonly RuleView[];
  /** Whether a rule is added or removed. */
  readonly changed: boolean;
  /** What rules of others do to the log: sentences for people. */
  readonly warnings: readonly string[];
}

export interface RuleView {
  readonly id: string;
  /** Of this log, made here. */
  readonly ours: boolean;
  readonly enabled: boolean;
  /** What the keys that it is about begin with. */
  readonly prefix: string;
  /** What it does, as in `Transition Days=90 StorageClass=GLACIER`, and its conditions beside the prefix. */
  readonly does: readonly string[];
  readonly change: "none" | "add" | "remove";
}

/** Lifecycle rules of the bucket that a log is in. @throws ConfigError for a log that is not in a bucket, or is reached by an `S3Client` */
export async function lifecycleOf(log: BucketLog): Promise<LogLifecycle> {
  const { keys, upkeep, runtime } = await openUpkeep(log, "lifecycle rules");
  return new BucketLogLifecycle(keys, upkeep, runtime ?? systemRuntime);
}

/** How often, and after which pauses, what was written is read back: AWS may take a moment to show it. */
const READ_BACK_PAUSES_MS = [0, 500, 1000, 2000, 4000, 8000];

interface Change {
  readonly after: LifecycleDocument | null;
  readonly view: LifecycleView;
}

class BucketLogLifecycle implements LogLifecycle {
  readonly #keys: LogKeys;
  readonly #upkeep: S3Upkeep;
  readonly #runtime: Runtime;

  constructor(keys: LogKeys, upkeep: S3Upkeep, runtime: Runtime) {
    this.#keys = keys;
    this.#upkeep = upkeep;
    this.#runtime = runtime;
  }

  async show(options: LifecycleOptions = {}): Promise<LifecycleView> {
    const rules = rulesOf(await this.#lifecycle.get(options));
    return this.#view(rules.map((rule) => ({ rule, change: "none" })));
  }

  async plan(policy: LifecyclePolicy, options: LifecycleOptions = {}): Promise<LifecycleView> {
    return (await this.#change(policy, options)).view;
  }

  async apply(policy: LifecyclePolicy, options: LifecycleOptions = {}): Promise<LifecycleView> {
    const { after, view } = await this.#change(policy, options);
    if (!view.changed) return view;
    await this.#lifecycle.put(after, options);
    const wanted = rulesOf(after);
    for (const pause of READ_BACK_PAUSES_MS) {
      await this.#runtime.sleep(pause, options.signal);
      if (sameRules(wanted, rulesOf(await this.#lifecycle.get(options)))) return view;
    }
    throw new BackendError("CONTENTION", "the lifecycle rules were written, and those read back are others", {
      hint: "somebody else changes them too, or the server takes long to show them: look at them (rynxs lifecycle show) and apply again",
    });
  }

  close(): Promise<void> {
    return this.#upkeep.close();
  }

  get #lifecycle(): BucketLifecycle {
    return this.#upkeep.lifecycle;
  }

  async #change(policy: LifecyclePolicy, options: LifecycleOptions): Promise<Change> {
    checkPolicy(policy, this.#upkeep.aws);
    const before = await this.#lifecycle.get(options);
    const rules = rulesOf(before);
    const wanted = policyRules(policy, this.#keys).map((xml) => ({ xml, rule: onlyRule(xml) }));
    const isKept = (rule: LifecycleRule): boolean =>
      !this.#isOurs(rule) || wanted.some((each) => sameRule(each.rule, rule));
    const added = wanted.filter((each) => !rules.some((rule) => sameRule(each.rule, rule)));
    const removed = rules.filter((rule) => !isKept(rule));
    const xml = changeRules(
      before?.xml ?? null,
      new Set(removed.map(({ raw }) => raw)),
      added.map((each) => each.xml),
    );
    const view = this.#view([
      ...rules.map((rule) => ({ rule, change: isKept(rule) ? ("none" as const) : ("remove" as const) })),
      ...added.map(({ rule }) => ({ rule, change: "add" as const })),
    ]);
    return { after: xml === null ? null : { ...before, xml }, view };
  }

  #isOurs({ id }: LifecycleRule): boolean {
    return id.startsWith(ownIds(this.#keys));
  }

  #view(rules: readonly { readonly rule: LifecycleRule; readonly change: RuleView["change"] }[]): LifecycleView {
    const views = rules.map(({ rule, change }) => {
      const { id, enabled, prefix, parts: does } = rule;
      return { id, ours: this.#isOurs(rule), enabled, prefix, does, change };
    });
    const others = rules.filter(({ rule }) => !this.#isOurs(rule));
    const harm = others.map(({ rule }) => harmOf(rule, this.#keys)).filter((text) => text !== undefined);
    return { rules: views, changed: views.some(({ change }) => change !== "none"), warnings: harm };
  }
}

/** @throws BackendError when the document cannot be kept safe while it is changed */
function rulesOf(document: LifecycleDocument | null): readonly LifecycleRule[] {
  const rules = document === null ? [] : parseRules(document.xml);
  if (rules !== null) return rules;
  throw new BackendError(
    "REQUEST_REFUSED",
    "the bucket's lifecycle rules are written in a way that is not known here",
    {
      hint: "nothing was changed: change them with the tool that wrote them",
    },
  );
}

/** A rule of our own, read as others are. */
function onlyRule(xml: string): LifecycleRule {
  const [rule] = parseRules(changeRules(null, new Set(), [xml]) ?? "") ?? [];
  if (rule === undefined) throw new ConfigError("the log's prefix cannot be part of a lifecycle rule");
  return rule;
}

function sameRules(a: readonly LifecycleRule[], b: readonly LifecycleRule[]): boolean {
  return a.length === b.length && a.every((rule) => b.some((other) => sameRule(rule, other)));
}
