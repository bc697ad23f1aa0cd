import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  apiServerCases,
  prepareApiServer,
  startFakeCluster,
  type FakeCluster,
  type PreparedApiServer,
} from "../../src/testing/index.js";
import { apiClient, clientOfKubeconfig, type TestApiClient } from "./api-client.js";

/** Names a real cluster: `npm run test:k8s`. Otherwise the fake one is tested. */
const kubeconfig = process.env["RYNXS_TEST_KUBECONFIG"] ?? "";

describe.each([{ http2: false }, { http2: true }])(
  `API server: ${kubeconfig === "" ? "fake" : "real"}, HTTP/2: $http2`,
  ({ http2 }) => {
    let cluster: FakeCluster | undefined;
    let client: TestApiClient;
    let server: PreparedApiServer;

    beforeAll(async () => {
      if (kubeconfig === "") {
        cluster = await startFakeCluster();
        client = apiClient({ server: cluster.url, token: cluster.token, ca: cluster.caCertificate, http2 });
      } else client = clientOfKubeconfig(kubeconfig, http2);
      server = await prepareApiServer(client, `t${randomBytes(4).toString("hex")}`);
    });

    afterAll(async () => {
      await server.cleanUp();
      if (cluster !== undefined) {
        const protocols = new Set(cluster.requests.map(({ protocol }) => protocol));
        expect([...protocols]).toEqual([http2 ? "2.0" : "1.1"]);
      }
      await client.close();
      await cluster?.close();
    });

    for (const { name, run } of apiServerCases) it(name, () => run(server.context));
  },
);
