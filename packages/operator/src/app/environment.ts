import { hostname } from "node:os";
import { ConfigError, type Environment } from "@rynxs/event-store";
import { storeConfig, type StoreConfig } from "@rynxs/event-store/open";
import { KubeError } from "../kube/errors.js";
import { parseWatch, type WatchedResource } from "./watched.js";

/** What the environment asks for. Times are milliseconds. */
export interface OperatorConfig {
  readonly store: StoreConfig;
  readonly watch: readonly WatchedResource[];
  readonly election: {
    readonly enabled: boolean;
    readonly leaseName: string;
    readonly leaseDurationMs: number;
    readonly renewDeadlineMs: number;
    readonly retryPeriodMs: number;
  };
  /** Of the Lease; undefined: the pod's own. */
  readonly namespace: string | undefined;
  readonly podName: string;
  readonly writerId: string;
  readonly http: { readonly host: string; readonly port: number; readonly metrics: boolean };
  readonly kubernetesEvents: boolean;
  readonly log: { readonly level: LogLevel; readonly format: "json" | "text" };
  readonly shutdownGraceMs: number;
}

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** @throws ConfigError that names everything that is wrong, a line each */
export function operatorConfig(env: Environment): OperatorConfig {
  const read = new Reader(env);
  const podName = read.text("POD_NAME") ?? hostname();
  const config: OperatorConfig = {
    store: read.attempt(() => storeConfig(env)) as StoreConfig,
    watch: read.attempt(() => parseWatch(read.text("RYNXS_WATCH"))) ?? [],
    election: {
      enabled: read.flag("RYNXS_LEADER_ELECTION_ENABLED", true),
      leaseName: read.name("RYNXS_LEASE_NAME") ?? "rynxs-operator",
      leaseDurationMs: read.seconds("RYNXS_LEASE_DURATION_SECONDS", 30),
      renewDeadlineMs: read.seconds("RYNXS_RENEW_DEADLINE_SECONDS", 20),
      retryPeriodMs: read.seconds("RYNXS_RETRY_PERIOD_SECONDS", 5),
    },
    namespace: read.name("RYNXS_OPERATOR_NAMESPACE"),
    podName,
    writerId: read.text("RYNXS_WRITER_ID") ?? podName,
    http: {
      host: read.text("RYNXS_HTTP_HOST") ?? "127.0.0.1",
      port: read.integer("METRICS_PORT", 8080, 0, 65_535),
      metrics: read.flag("METRICS_ENABLED", true),
    },
    kubernetesEvents: read.flag("RYNXS_KUBERNETES_EVENTS", true),
    log: {
      level: read.oneOf("RYNXS_LOG_LEVEL", LOG_LEVELS, "info"),
      format: read.oneOf("RYNXS_LOG_FORMAT", ["json", "text"] as const, "json"),
    },
    shutdownGraceMs: read.seconds("RYNXS_SHUTDOWN_GRACE_SECONDS", 25),
  };
  read.check(isInOrder(config.election), IN_ORDER);
  read.finish();
  return config;
}

/** As client-go demands it: a renewal must be possible before others may take over. */
function isInOrder({ leaseDurationMs, renewDeadlineMs, retryPeriodMs }: OperatorConfig["election"]): boolean {
  if ([leaseDurationMs, renewDeadlineMs, retryPeriodMs].some(Number.isNaN)) return true;
  return leaseDurationMs > renewDeadlineMs && renewDeadlineMs > retryPeriodMs * 1.2;
}

const IN_ORDER =
  "RYNXS_LEASE_DURATION_SECONDS must be more than RYNXS_RENEW_DEADLINE_SECONDS, and that more than 1.2 times RYNXS_RETRY_PERIOD_SECONDS";

/** Reads variables, and keeps what is wrong with them until all have been read. */
class Reader {
  readonly #env: Environment;
  readonly #problems: string[] = [];

  constructor(env: Environment) {
    this.#env = env;
  }

  /** Unset and empty are the same: charts pass empty strings for what is not set. */
  text(name: string): string | undefined {
    const text = this.#env[name]?.trim();
    return text === "" ? undefined : text;
  }

  /** Of a Kubernetes object: RFC 1123. */
  name(variable: string): string | undefined {
    const text = this.text(variable);
    if (text !== undefined && !/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(text))
      this.#wrong(variable, text, "a name of lower-case letters, digits, '-' and '.'");
    return text;
  }

  flag(name: string, fallback: boolean): boolean {
    const text = this.text(name)?.toLowerCase();
    if (text === undefined) return fallback;
    if (["true", "1", "yes", "on"].includes(text)) return true;
    if (!["false", "0", "no", "off"].includes(text)) this.#wrong(name, text, "true or false");
    return false;
  }

  integer(name: string, fallback: number, min: number, max: number): number {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    this.#wrong(name, text, `a whole number from ${String(min)} to ${String(max)}`);
    return NaN;
  }

  /** In milliseconds. */
  seconds(name: string, fallback: number): number {
    return this.integer(name, fallback, 1, 3600) * 1000;
  }

  oneOf<T extends string>(name: string, valid: readonly T[], fallback: T): T {
    const text = this.text(name)?.toLowerCase();
    if (text === undefined) return fallback;
    const found = valid.find((choice) => choice === text);
    if (found === undefined) this.#wrong(name, text, `one of ${valid.join(", ")}`);
    return found ?? fallback;
  }

  attempt<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof ConfigError || error instanceof KubeError)) throw error;
      this.#problems.push(error.hint === undefined ? error.message : `${error.message}; ${error.hint}`);
      return undefined;
    }
  }

  check(holds: boolean, otherwise: string): void {
    if (!holds) this.#problems.push(otherwise);
  }

  finish(): void {
    if (this.#problems.length === 0) return;
    throw new ConfigError(this.#problems.join("\n"), {
      hint: "docs/operations/operator.md lists the variables; `rynxs-operator check` tries them",
    });
  }

  #wrong(name: string, text: string, valid: string): void {
    this.#problems.push(`${name} is ${JSON.stringify(text)}; valid: ${valid}`);
  }
}
