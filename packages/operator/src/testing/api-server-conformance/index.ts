import { agentDefinition } from "./agent-definition.js";
import { expect, type ApiServerCase, type ApiServerContext } from "./case.js";
import type { ApiClient } from "./client.js";
import { discoveryCases } from "./discovery-cases.js";
import { eventCases } from "./event-cases.js";
import { leaseCases } from "./lease-cases.js";
import { listCases } from "./list-cases.js";
import { objectCases } from "./object-cases.js";
import { patchCases } from "./patch-cases.js";
import { schemaCases } from "./schema-cases.js";
import { watchCases } from "./watch-cases.js";

export { agentDefinition, DEFAULT_SPEC } from "./agent-definition.js";
export type { ApiServerCase, ApiServerContext } from "./case.js";
export type { ApiAnswer, ApiCall, ApiClient, ApiWatch, ApiWatchCall } from "./client.js";

/**
 * What Rynxs takes for granted of a Kubernetes API server, as data for any test runner. It uses nothing that a real server has
 * not, so that it proves the fake one:
 *
 *     const server = await prepareApiServer(client, "t1234");
 *     for (const { name, run } of apiServerCases) it(name, () => run(server.context));
 *     await server.cleanUp();
 *
 * Each case works in a namespace of its own and deletes it. Rights needed: to create definitions and namespaces.
 */
export const apiServerCases: readonly ApiServerCase[] = [
  ...discoveryCases,
  ...objectCases,
  ...patchCases,
  ...schemaCases,
  ...listCases,
  ...watchCases,
  ...leaseCases,
  ...eventCases,
];

export interface PreparedApiServer {
  readonly context: ApiServerContext;
  /** Deletes the definition of agents. */
  cleanUp(): Promise<void>;
}

const DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/** Defines agents in a group of the run's own and waits until they are served. `id`: of lower-case letters and digits. */
export async function prepareApiServer(client: ApiClient, id: string): Promise<PreparedApiServer> {
  const group = `${id}.rynxs.test`;
  expect(await client.request({ method: "POST", path: DEFINITIONS, body: agentDefinition(group) }), 201);
  const cleanUp = async (): Promise<void> => {
    await client.request({ method: "DELETE", path: `${DEFINITIONS}/agents.${group}` });
  };
  for (let tries = 0; ; tries++) {
    const { status } = await client.request({ method: "GET", path: `/apis/${group}/v1alpha1/agents` });
    if (status === 200) return { context: { client, group, namespacePrefix: `rynxs-test-${id}` }, cleanUp };
    if (tries >= 100) {
      await cleanUp();
      throw new Error(`agents of ${group} are still not served`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
