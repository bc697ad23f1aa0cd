import { EventStoreError, type Check, type EventStore, type Runtime } from "@rynxs/event-store";
import type { Leadership } from "../election/port.js";
import type { KubeApi } from "../kube/port.js";
import { FencedLog } from "../record/fenced-log.js";
import { Recorder } from "../record/recorder.js";
import { Reporter } from "../report/reporter.js";
import { hasAborted } from "../watch/aborted.js";
import type { ObservationSink } from "../watch/sink.js";
import type { OperatorConfig } from "./environment.js";
import { serveHttp, type HttpServer } from "./http-server.js";
import { errorFields, traceOf, type Logger } from "./logging.js";
import { lookFor } from "./look.js";
import { leadInTurn } from "./leading.js";
import { createMetrics, type Metrics } from "./metrics.js";
import type { PutCounts } from "./counted-objects.js";
import { Readiness } from "./readiness.js";
import { reportsOf } from "./reports.js";
import { Watches, type Watching } from "./watching.js";

export interface OperatorParts {
  readonly config: OperatorConfig;
  readonly api: KubeApi;
  /** Of the Lease. */
  readonly namespace: string;
  readonly openStore: (counts: PutCounts) => Promise<EventStore>;
  /** Whether the store is safe to use. */
  readonly examine: () => AsyncIterable<Check>;
  readonly watch: (sink: ObservationSink, on: WatchEvents) => Watching;
  readonly runtime: Runtime;
  readonly logger: Logger;
}

export interface WatchEvents {
  restarted(resource: string, reason: string): void;
  troubled(scope: string, error: unknown): void;
}

/** How often a replica that does not lead reads what the leader has written. */
const FOLLOW_MS = 10_000;
/** Pause between two tries of what a start needs. */
const START_RETRY_MS = 5_000;
/** Characters of payload that wait at most. */
const CAPACITY = 64 * 1024 * 1024;
/** Events in one write, where a write may hold several. */
const BATCH = 500;

/** One replica, from its start to its clean end. */
export class Operator {
  readonly #parts: OperatorParts;
  readonly #metrics: Metrics;
  readonly #readiness: Readiness;
  readonly #holder: string;
  readonly #draining = new AbortController();
  readonly #watches: Watches;
  #http: HttpServer | null = null;
  #store: EventStore | null = null;
  #recorder: Recorder | null = null;
  #reporter: Reporter;
  #leads = false;

  constructor(parts: OperatorParts) {
    this.#parts = parts;
    const { config, api, runtime, logger } = parts;
    this.#holder = `${config.podName}_${runtime.id()}`;
    this.#metrics = createMetrics(() => this.#recorder?.depth ?? 0);
    this.#metrics.leads.set(0);
    this.#readiness = new Readiness(this.#metrics, logger);
    this.#watches = new Watches(() => parts.watch(this.#sink(), this.#watchEvents()));
    this.#reporter = new Reporter({
      api,
      runtime,
      instance: config.podName,
      onError: (kind, subject, error) => {
        this.#metrics.reportErrors.inc({ kind });
        logger.warn({ ...traceOf(subject), ...errorFields(error) }, `the ${kind} could not be written`);
      },
    });
  }

  /** Port of the HTTP endpoints, once `run` serves them. */
  get httpPort(): number | undefined {
    return this.#http?.port;
  }

  /**
   * Until the signal aborts, and what was observed until then is in the log, or the grace period is over.
   * @throws what keeps it from starting at all: ConfigError, a port that is taken, a store that is not safe to use
   */
  async run(signal: AbortSignal): Promise<void> {
    const { config, logger } = this.#parts;
    this.#http = await serveHttp(config.http, {
      health: () => null,
      readiness: () => this.#notReady(),
      metrics: config.http.metrics ? () => this.#scrape() : undefined,
    });
    logger.info({ port: this.#http.port, holder: this.#holder }, "started");
    try {
      const started = await this.#start(signal);
      if (started) await this.#work(started, signal);
    } finally {
      await this.#close();
    }
  }

  /** Opens and proves the store and reads the log, trying until it works; null when aborted. */
  async #start(signal: AbortSignal): Promise<{ readonly log: FencedLog; readonly recorder: Recorder } | null> {
    const { openStore } = this.#parts;
    const counts: PutCounts = {
      failed: (type) => this.#metrics.putErrors.inc({ error_type: type }),
      conflict: () => this.#metrics.putConflicts.inc(),
    };
    const store = await this.#until("the store cannot be opened", signal, () => openStore(counts));
    if (store === null) return null;
    this.#store = store;
    if ((await this.#until("the store is not proven", signal, () => this.#prove())) === null) return null;
    const { log, recorder } = this.#build(store);
    const loaded = await this.#until("the log cannot be read", signal, () => log.load(signal).then(() => true));
    if (loaded === null) return null;
    this.#readiness.started();
    this.#parts.logger.info({ store: store.location, seq: log.head.seq }, "the log has been read");
    return { log, recorder };
  }

  async #prove(): Promise<true> {
    for await (const { name, ok, detail, hint } of this.#parts.examine()) {
      // The log itself is read, and its faults named, after this.
      if (ok || name === "log") continue;
      throw new EventStoreError("UNAVAILABLE", `${name}: ${detail}`, hint === undefined ? {} : { hint });
    }
    return true;
  }

  #build(store: EventStore): { readonly log: FencedLog; readonly recorder: Recorder } {
    const { config, api, runtime, logger } = this.#parts;
    const metrics = this.#metrics;
    const batch = config.store.type === "s3" && config.store.batch;
    const log: FencedLog = new FencedLog(store, {
      writerId: config.writerId,
      runtime,
      onWarning: ({ code, message }) => logger.warn({ code }, message),
      onChange: (key, digest, event) => recorder.logged(key, digest, event),
      on: {
        replayed: (ms) => metrics.replay.observe(ms / 1000),
        head: ({ seq }) => metrics.headSeq.set(seq),
        appended: (types, ms) => {
          metrics.append.observe(ms / 1000);
          metrics.batchSize.observe(types.length);
          for (const type of types) metrics.events.inc({ event_type: type });
        },
      },
    });
    const reports = reportsOf({ config, store, reporter: this.#reporter, metrics, logger, runtime });
    const recorder: Recorder = new Recorder({
      log,
      runtime,
      look: lookFor(api, (subject, error) =>
        logger.warn({ ...traceOf(subject), ...errorFields(error) }, "cannot tell whether the object is gone"),
      ),
      relist: (between) => this.#watches.restart(between),
      batch: batch ? BATCH : 1,
      capacity: CAPACITY,
      on: {
        ...reports,
        recorded: (observation, at) => {
          this.#readiness.works();
          reports.recorded(observation, at);
        },
        troubled: (error) => this.#readiness.troubled(error, "not recorded yet; trying again"),
        worksAgain: () => this.#readiness.works(),
        leads: (epoch) => {
          // Not with the Lease alone: who cannot say in the log that it leads may not append either.
          metrics.leads.set(1);
          logger.info({ epoch, holder: this.#holder }, "leads");
        },
      },
    });
    this.#recorder = recorder;
    return { log, recorder };
  }

  async #work(parts: { readonly log: FencedLog; readonly recorder: Recorder }, signal: AbortSignal): Promise<void> {
    const { config, logger, runtime } = this.#parts;
    const { log, recorder } = parts;
    this.#watches.start();
    const ended = new AbortController();
    const following = this.#follow(log, AbortSignal.any([signal, ended.signal]));
    const leading = this.#lead(recorder, signal);
    await aborted(signal);
    const grace = new AbortController();
    const late = runtime.sleep(config.shutdownGraceMs, ended.signal).then(() => grace.abort());
    logger.info({ pending: recorder.depth }, "stopping");
    recorder.close();
    const drained = this.#watches.stop().then(async () => {
      this.#draining.abort();
      await leading;
      await following;
      await this.#reporter.flushed(grace.signal);
    });
    await Promise.race([drained, aborted(grace.signal)]);
    ended.abort();
    if (grace.signal.aborted)
      logger.warn({ pending: recorder.depth }, "the grace period is over; whoever leads next records what is left");
    else await late;
  }

  /** Whenever another replica leads. */
  async #follow(log: FencedLog, signal: AbortSignal): Promise<void> {
    const { runtime } = this.#parts;
    while (!signal.aborted) {
      await runtime.sleep(FOLLOW_MS, signal);
      if (hasAborted(signal) || this.#leads) continue;
      try {
        await log.follow(signal);
        this.#readiness.works();
      } catch (error) {
        if (!isAborted(error)) this.#readiness.troubled(error, "the log could not be followed");
      }
    }
  }

  #lead(recorder: Recorder, signal: AbortSignal): Promise<void> {
    const { config, api, namespace, runtime, logger } = this.#parts;
    const shared = { metrics: this.#metrics, readiness: this.#readiness };
    const options = { config, api, namespace, holder: this.#holder, runtime, logger, ...shared };
    return leadInTurn(options, signal, async (leadership: Leadership) => {
      this.#leads = true;
      try {
        await recorder.lead(leadership, this.#draining.signal);
      } finally {
        this.#leads = false;
      }
    });
  }

  #notReady(): string | null {
    const { problem } = this.#readiness;
    if (problem !== null) return problem;
    if (this.#draining.signal.aborted) return "stopping";
    return this.#watches.synced ? null : "not everything that is watched has been listed yet";
  }

  async #scrape(): Promise<{ type: string; text: string }> {
    const { registry } = this.#metrics;
    return { type: registry.contentType, text: await registry.metrics() };
  }

  /** Again and again until it works; null when the signal aborts. A configuration that cannot work is thrown. */
  async #until<T>(otherwise: string, signal: AbortSignal, work: () => Promise<T>): Promise<T | null> {
    this.#readiness.awaits(otherwise);
    while (!signal.aborted) {
      try {
        const result = await unlessAborted(work(), signal);
        this.#readiness.works();
        return result;
      } catch (error) {
        if (hasAborted(signal)) break;
        if (error instanceof EventStoreError && error.code === "INVALID_CONFIG") throw error;
        this.#readiness.troubled(error, otherwise);
        await this.#parts.runtime.sleep(START_RETRY_MS, signal);
      }
    }
    return null;
  }

  /** The recorder is built after the watches are. */
  #sink(): ObservationSink {
    if (this.#recorder === null) throw new Error("nothing to watch for yet");
    return this.#recorder;
  }

  #watchEvents(): WatchEvents {
    return {
      restarted: (resource, reason) => this.#metrics.watchRestarts.inc({ resource_type: resource, reason }),
      troubled: (scope, error) => this.#parts.logger.warn({ scope, ...errorFields(error) }, "cannot be watched now"),
    };
  }

  async #close(): Promise<void> {
    this.#reporter.close();
    await this.#store?.close().catch((error: unknown) => this.#readiness.troubled(error, "the store did not close"));
    await this.#parts.api.close();
    await this.#http?.close();
    this.#parts.logger.info("stopped");
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** Null as soon as the signal aborts: a bucket that does not answer must not hold up the end. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | null> {
  const settled = new AbortController();
  try {
    return await Promise.race([work, aborted(AbortSignal.any([signal, settled.signal])).then(() => null)]);
  } finally {
    settled.abort();
  }
}

function isAborted(error: unknown): boolean {
  return error instanceof EventStoreError && error.code === "ABORTED";
}
