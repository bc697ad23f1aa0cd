import { EventStoreError, VerificationError, type Check, type EventStore, type Runtime } from "@rynxs/event-store";
import { Elector } from "../election/elector.js";
import { LeaseLock } from "../election/lease-lock.js";
import { LeadershipLostError, type Leadership } from "../election/port.js";
import type { KubeApi } from "../kube/port.js";
import { FencedLog } from "../record/fenced-log.js";
import type { LiveObject } from "../record/live-objects.js";
import type { Observation, Subject } from "../record/observation.js";
import { Recorder } from "../record/recorder.js";
import { Reporter } from "../report/reporter.js";
import { hasAborted } from "../watch/aborted.js";
import type { ObservationSink } from "../watch/sink.js";
import type { OperatorConfig } from "./environment.js";
import { serveHttp, type HttpServer } from "./http-server.js";
import { errorFields, traceOf, type Logger } from "./logging.js";
import { lookFor } from "./look.js";
import { createMetrics, type Metrics } from "./metrics.js";
import type { PutCounts } from "./counted-objects.js";
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
  readonly #holder: string;
  readonly #draining = new AbortController();
  readonly #watches: Watches;
  #http: HttpServer | null = null;
  #store: EventStore | null = null;
  #recorder: Recorder | null = null;
  #reporter: Reporter;
  #leads = false;
  /** Why this replica is not ready. */
  #starting: string | null = "starting";
  #broken: string | null = null;

  constructor(parts: OperatorParts) {
    this.#parts = parts;
    const { config, api, runtime, logger } = parts;
    this.#holder = `${config.podName}_${runtime.id()}`;
    this.#metrics = createMetrics(() => this.#recorder?.depth ?? 0);
    this.#metrics.leads.set(0);
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
    this.#starting = null;
    this.#parts.logger.info({ store: store.location, seq: log.head.seq }, "the log has been read");
    return { log, recorder };
  }

  async #prove(): Promise<true> {
    for await (const { name, ok, detail, hint } of this.#parts.examine()) {
      if (ok) continue;
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
      onChange: (key, digest) => recorder.logged(key, digest),
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
        recorded: (observation, at) => this.#recorded(observation, at),
        unreported: (object, seq) => this.#unreported(store, object, seq),
        refused: (subject, error) => logger.error({ ...traceOf(subject), ...errorFields(error) }, "cannot be recorded"),
        troubled: (error) => this.#troubled(error, "not recorded yet; trying again"),
        leads: (epoch) => logger.info({ epoch, holder: this.#holder }, "leads"),
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
    const leading = this.#elect(recorder, signal);
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
        this.#broken = null;
      } catch (error) {
        if (!isAborted(error)) this.#troubled(error, "the log could not be followed");
      }
    }
  }

  #elect(recorder: Recorder, signal: AbortSignal): Promise<void> {
    const { config, api, namespace, runtime, logger } = this.#parts;
    const { leaseName, leaseDurationMs, renewDeadlineMs, retryPeriodMs, enabled } = config.election;
    const lead = async (leadership: Leadership): Promise<void> => {
      this.#leads = true;
      try {
        await recorder.lead(leadership, this.#draining.signal);
      } finally {
        this.#leads = false;
        this.#metrics.leads.set(0);
      }
    };
    if (!enabled) return this.#alwaysLead(lead, signal);
    const lock = new LeaseLock(api, { namespace, name: leaseName }, retryPeriodMs);
    return new Elector(lock, {
      holder: this.#holder,
      leaseDurationMs,
      renewDeadlineMs,
      retryPeriodMs,
      runtime,
      on: {
        led: () => this.#metrics.leads.set(1),
        holder: (holder) => {
          this.#metrics.transitions.inc();
          logger.info({ leader: holder }, holder === "" ? "nobody leads" : "another leader");
        },
        lost: () => {
          this.#metrics.leads.set(0);
          this.#metrics.electionFailures.inc();
          logger.error({ holder: this.#holder }, "lost the lease; appends no more");
        },
        failed: (error) => this.#electionFailed(error),
      },
    }).run(signal, lead);
  }

  /** Without election the log still has one leader at a time: the one that took over last. */
  async #alwaysLead(lead: (leadership: Leadership) => Promise<void>, signal: AbortSignal): Promise<void> {
    const { runtime, config, namespace } = this.#parts;
    const lease = `${namespace}/${config.election.leaseName}`;
    const leadership = { holder: this.#holder, lease, transitions: 0, signal: NEVER, valid: () => true };
    while (!signal.aborted) {
      this.#metrics.leads.set(1);
      await lead(leadership).catch((error: unknown) => this.#electionFailed(error));
      await runtime.sleep(config.election.retryPeriodMs, signal);
    }
  }

  #electionFailed(error: unknown): void {
    this.#metrics.electionFailures.inc();
    if (error instanceof LeadershipLostError) this.#parts.logger.error(errorFields(error), "deposed; appends no more");
    else this.#troubled(error, "the leadership or its lease failed");
  }

  #recorded({ key, subject, status, payload, at }: Observation, logged: { seq: number; eventHash: string }): void {
    const { config, runtime, logger } = this.#parts;
    this.#broken = null;
    const { resource } = subject;
    const type = `${resource.kind}${payload === null ? "Deleted" : "Observed"}`;
    this.#metrics.reconcile.observe({ resource_type: resource.plural }, (runtime.elapsed() - at) / 1000);
    logger.info({ ...traceOf(subject), type, seq: logged.seq, event_hash: logged.eventHash }, "recorded");
    const report = { subject, seen: status, at: { type, ...logged } };
    if (payload !== null && this.#writesStatus(subject)) this.#reporter.status(key, report);
    if (config.kubernetesEvents) this.#reporter.event(key, report);
  }

  #unreported(store: EventStore, { key, subject, status }: LiveObject, seq: number): void {
    if (!this.#writesStatus(subject)) return;
    const at = async (): Promise<{ type: string; seq: number; eventHash: string } | null> => {
      const eventHash = await store.getEventHash(seq);
      return eventHash === null ? null : { type: "", seq, eventHash };
    };
    this.#reporter.status(key, { subject, seen: status, at });
  }

  #writesStatus({ resource }: Subject): boolean {
    const { watch } = this.#parts.config;
    return resource.hasStatus && watch.some((entry) => entry.status && entry.resource === resource.name);
  }

  #troubled(error: unknown, what: string): void {
    if (error instanceof VerificationError) {
      this.#metrics.verificationFailures.inc({ verdict: error.code });
      this.#broken = `the log failed verification: ${error.code} at seq ${String(error.seq)}`;
      this.#parts.logger.error(errorFields(error), "the log failed verification; nothing is appended");
      return;
    }
    if (error instanceof EventStoreError) this.#broken = `${what}: ${error.code}`;
    this.#parts.logger.warn(errorFields(error), what);
  }

  #notReady(): string | null {
    if (this.#starting !== null) return this.#starting;
    if (this.#broken !== null) return this.#broken;
    if (this.#draining.signal.aborted) return "stopping";
    return this.#watches.synced ? null : "not everything that is watched has been listed yet";
  }

  async #scrape(): Promise<{ type: string; text: string }> {
    const { registry } = this.#metrics;
    return { type: registry.contentType, text: await registry.metrics() };
  }

  /** Again and again until it works; null when the signal aborts. A configuration that cannot work is thrown. */
  async #until<T>(otherwise: string, signal: AbortSignal, work: () => Promise<T>): Promise<T | null> {
    this.#starting = otherwise;
    while (!signal.aborted) {
      try {
        return await work();
      } catch (error) {
        if (hasAborted(signal)) break;
        if (error instanceof EventStoreError && error.code === "INVALID_CONFIG") throw error;
        this.#troubled(error, otherwise);
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
    await this.#store?.close().catch((error: unknown) => this.#troubled(error, "the store did not close"));
    await this.#parts.api.close();
    await this.#http?.close();
    this.#parts.logger.info("stopped");
  }
}

const NEVER = new AbortController().signal;

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

function isAborted(error: unknown): boolean {
  return error instanceof EventStoreError && error.code === "ABORTED";
}
