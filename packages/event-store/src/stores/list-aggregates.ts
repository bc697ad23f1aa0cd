import { ConfigError } from "../core/errors.js";
import { MAX_SEQ, type Head } from "../core/event.js";
import { compareCodePoints } from "../core/json/strings.js";
import type { LogIndex } from "../log/index/coverage.js";
import type { IndexFile } from "../log/index/index-file.js";
import { mergeByKey } from "../log/index/merge-by-key.js";
import { AggregateTally, isAsked, type AggregateFilter } from "./aggregate-tally.js";
import { planIndexed, type PlanPart } from "./index-plan.js";
import type { AggregatesOptions, AggregatesPage, AggregateSummary } from "./port.js";
import { readVerified } from "./reading.js";
import type { RecordSource } from "./record-source.js";

const MAX_LIMIT = 10_000;

/** One page of the log's aggregates: of what is indexed, from tables; the rest is counted. @throws ConfigError; VerificationError; BackendError */
export async function listAggregates(
  source: RecordSource,
  logHead: () => Promise<Head>,
  options: AggregatesOptions,
): Promise<AggregatesPage> {
  const filter = checkFilter(options);
  const { signal } = options;
  const unusable = new Set<string>();
  const whole: PlanPart[] = [{ file: null, range: { first: 0, last: MAX_SEQ }, anchor: undefined }];
  const { index } = source;
  const plan = index && (await plannedFor(source, index, signal));
  const count = async ({ range, anchor }: Pick<PlanPart & { file: null }, "range" | "anchor">) => {
    const tally = new AggregateTally(filter);
    const read = { ...(anchor ? { anchor } : { fromSeq: range.first }), signal };
    const records = readVerified(source, logHead, range.last < MAX_SEQ ? { ...read, toSeq: range.last } : read);
    for await (const batch of records) for (const record of batch) tally.add(record);
    return tally.summaries();
  };
  // What walks count does not change when a table turns out not to be usable.
  const counted = new Map<PlanPart, AggregateSummary[]>();
  for (;;) {
    const sources: AsyncIterable<readonly AggregateSummary[]>[] = [];
    for (const part of plan ?? whole) {
      if (index && part.file && !unusable.has(part.file.entry.key)) {
        sources.push(fromTable(index, part.file, filter, (key) => unusable.add(key), signal));
        continue;
      }
      const summaries = counted.get(part) ?? (await count({ anchor: undefined, ...part }));
      counted.set(part, summaries);
      sources.push(once(summaries));
    }
    const before = unusable.size;
    const page = await firstPage(sources, filter);
    if (unusable.size === before) return page;
  }
}

async function plannedFor(
  source: RecordSource,
  index: LogIndex,
  signal: AbortSignal | undefined,
): Promise<readonly PlanPart[] | null> {
  const likelyEnd = (await source.storedHead(signal))?.seq;
  if ((likelyEnd ?? MAX_SEQ) + 1 < index.layout.leastLog) return null;
  return (await planIndexed(index, { first: 0, last: MAX_SEQ }, likelyEnd, signal))?.parts ?? null;
}

/** Ends early, having told `onUnusable`, when the table cannot be used. */
async function* fromTable(
  index: LogIndex,
  file: IndexFile,
  filter: AggregateFilter,
  onUnusable: (key: string) => void,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly AggregateSummary[]> {
  const { key } = file.entry;
  const from = compareCodePoints(filter.after, filter.prefix) > 0 ? filter.after : filter.prefix;
  const blocks = file.aggregates(from, signal);
  try {
    for (;;) {
      const next = await index.attempt(key, () => blocks.next());
      if (next === null) {
        onUnusable(key);
        return;
      }
      if (next.done === true) return;
      yield next.value.flatMap(({ key: aggregateId, refs }) => {
        const [first] = refs;
        const last = refs.at(-1);
        if (first === undefined || last === undefined || !isAsked(aggregateId, filter)) return [];
        const count = refs.reduce((sum, ref) => sum + ref.count, 0);
        return [{ aggregateId, count, firstSeq: first.first, lastSeq: last.last }];
      });
      // What follows does not begin so any more.
      const end = next.value.at(-1)?.key;
      if (end !== undefined && compareCodePoints(end, filter.prefix) > 0 && !end.startsWith(filter.prefix)) return;
    }
  } finally {
    await blocks.return(undefined);
  }
}

async function firstPage(
  sources: readonly AsyncIterable<readonly AggregateSummary[]>[],
  { limit }: AggregateFilter,
): Promise<AggregatesPage> {
  const aggregates: AggregateSummary[] = [];
  for await (const { key, found } of mergeByKey(sources, ({ aggregateId }) => aggregateId)) {
    if (aggregates.length === limit) return { aggregates, next: aggregates.at(-1)?.aggregateId ?? null };
    const parts = found.map(({ item }) => item);
    aggregates.push({
      aggregateId: key,
      count: parts.reduce((sum, { count }) => sum + count, 0),
      firstSeq: Math.min(...parts.map(({ firstSeq }) => firstSeq)),
      lastSeq: Math.max(...parts.map(({ lastSeq }) => lastSeq)),
    });
  }
  return { aggregates, next: null };
}

async function* once<T>(items: readonly T[]): AsyncGenerator<readonly T[]> {
  yield await Promise.resolve(items);
}

function checkFilter({ after = "", prefix = "", limit = 1000 }: AggregatesOptions): AggregateFilter {
  for (const [name, text] of Object.entries({ after, prefix }))
    if (typeof (text as unknown) !== "string" || !text.isWellFormed())
      throw new ConfigError(`${name} must be well-formed text`);
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
    throw new ConfigError(`limit must be an integer from 1 to ${String(MAX_LIMIT)}, not ${String(limit)}`);
  return { after, prefix, limit };
}
