import { request } from "node:http";
import { examine, systemRuntime, type Environment } from "@rynxs/event-store";
import { openEventStore } from "@rynxs/event-store/open";
import { kubeClient } from "../kube/client.js";
import { kubeConfig } from "../kube/config/kube-config.js";
import { Informers } from "../watch/informers.js";
import { countedObjects, type PutCounts } from "./counted-objects.js";
import { operatorConfig, type OperatorConfig } from "./environment.js";
import { createLogger, errorFields } from "./logging.js";
import { Operator, type OperatorParts } from "./operator.js";
import { version } from "./version.js";

const HELP = `rynxs-operator: records what happens to Kubernetes resources in a tamper-evident event log

  rynxs-operator              runs until SIGTERM or SIGINT
  rynxs-operator check        says what the environment asks for, or what is wrong with it
  rynxs-operator healthcheck  asks a running operator on this machine whether it is alive
  rynxs-operator --version | --help

It is configured by environment variables alone; docs/operations/operator.md lists them.
`;

/** What is left to do after the grace period, or after the end, gets so long. */
const LEAVE_MS = 2_000;
const SIGNALS = ["SIGTERM", "SIGINT"] as const;

/** @returns the exit code: 0 fine, 1 usage or runtime error */
export async function main(args: readonly string[], env: Environment): Promise<number> {
  const [command, ...more] = args;
  if (more.length > 0) return usage(`unexpected ${JSON.stringify(more[0])}`);
  try {
    switch (command) {
      case undefined:
        return await run(env);
      case "check":
        return check(env);
      case "healthcheck":
        return await healthcheck(operatorConfig(env));
      case "--version":
        return say(version());
      case "--help":
      case "-h":
      case "help":
        return say(HELP.trimEnd());
      default:
        return usage(`there is no ${JSON.stringify(command)}`);
    }
  } catch (error) {
    const { message, hint } = error as Error & { readonly hint?: string };
    process.stderr.write(`rynxs-operator: ${message}\n${hint === undefined ? "" : `${hint}\n`}`);
    return 1;
  }
}

async function run(env: Environment): Promise<number> {
  const config = operatorConfig(env);
  const logger = createLogger(config.log);
  const runtime = systemRuntime;
  const kube = await kubeConfig(env, { runtime });
  const api = kubeClient(kube, { runtime, userAgent: `rynxs-operator/${version()}` });
  logger.info({ version: version(), server: api.server, kubeconfig: kube.source }, "starting");
  const onWarning: Warn = ({ code, message }) => logger.warn({ code }, message);
  const operator = new Operator({
    config,
    api,
    namespace: config.namespace ?? kube.namespace,
    openStore: (counts) => openEventStore(env, { onWarning, observe: (objects) => countedObjects(objects, counts) }),
    // A file needs no proof of its conditional writes: the lock is the operating system's.
    examine: () => (config.store.type === "s3" ? examine(env, { onWarning }) : nothing()),
    watch: (sink, on) => {
      const stop = new AbortController();
      const informers = new Informers(api, targetsOf(config), sink, {
        runtime,
        onRestart: (resource, reason) => on.restarted(resource, reason),
        onTrouble: (resource, error) => on.troubled(resource, error),
      });
      const ended = informers.run(stop.signal);
      return {
        get synced() {
          return informers.synced;
        },
        stop: () => {
          stop.abort();
          return ended;
        },
      };
    },
    runtime,
    logger,
  } satisfies OperatorParts & { openStore: (counts: PutCounts) => unknown });
  const stop = new AbortController();
  const end = (): void => {
    for (const signal of SIGNALS) process.removeListener(signal, end);
    stop.abort();
    // What is still under way after the grace period must not keep the process: a request that nobody answers takes longer.
    setTimeout(() => process.exit(0), config.shutdownGraceMs + LEAVE_MS).unref();
  };
  // A second signal, of either kind, ends it the hard way: Node's default.
  for (const signal of SIGNALS) process.once(signal, end);
  try {
    await operator.run(stop.signal);
  } catch (error) {
    logger.error(errorFields(error), "cannot go on");
    return 1;
  }
  setTimeout(() => process.exit(0), LEAVE_MS).unref();
  return 0;
}

type Warn = (warning: { readonly code: string; readonly message: string }) => void;

function targetsOf(
  config: OperatorConfig,
): { resource: string; namespaces: readonly string[]; labelSelector?: string }[] {
  return config.watch.map(({ resource, namespaces, labelSelector }) => ({
    resource,
    namespaces,
    ...(labelSelector !== undefined && { labelSelector }),
  }));
}

async function* nothing(): AsyncGenerator<never, void, undefined> {
  // no check
}

function check(env: Environment): number {
  return say(JSON.stringify(operatorConfig(env), null, 2));
}

function healthcheck({ http }: OperatorConfig): Promise<number> {
  const host = http.host === "0.0.0.0" ? "127.0.0.1" : http.host === "::" ? "::1" : http.host;
  return new Promise((resolve) => {
    const asked = request({ host, port: http.port, path: "/healthz", timeout: 5_000 }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200 ? 0 : 1);
    });
    asked.on("timeout", () => asked.destroy(new Error("no answer within 5 s")));
    asked.on("error", (error) => {
      process.stderr.write(`rynxs-operator: not healthy: ${error.message}\n`);
      resolve(1);
    });
    asked.end();
  });
}

function say(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

function usage(problem: string): number {
  process.stderr.write(`rynxs-operator: ${problem}\n\n${HELP}`);
  return 1;
}
