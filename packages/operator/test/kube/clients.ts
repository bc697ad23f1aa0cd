import { afterEach, expect } from "vitest";
import { systemRuntime } from "@rynxs/event-store";
import { kubeClient } from "../../src/kube/client.js";
import type { KubeConfig } from "../../src/kube/config/kube-config.js";
import { KubeError } from "../../src/kube/errors.js";
import type { KubeApi } from "../../src/kube/port.js";
import { startServer, type Handler, type TestServer } from "./server.js";

const cleanups: (() => Promise<void>)[] = [];

/** Ends, after each test, what the two below began. */
export function endAfterEach(): void {
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
}

export async function start(handler: Handler, options: Parameters<typeof startServer>[1] = {}): Promise<TestServer> {
  const server = await startServer(handler, options);
  cleanups.push(server.close);
  return server;
}

export function clientOf(config: KubeConfig, now = (): number => Date.now()): KubeApi {
  const api = kubeClient(config, { runtime: { ...systemRuntime, now }, userAgent: "rynxs-test/1" });
  cleanups.push(() => api.close());
  return api;
}

export async function errorOf(promise: Promise<unknown>): Promise<KubeError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(KubeError);
  return error as KubeError;
}
