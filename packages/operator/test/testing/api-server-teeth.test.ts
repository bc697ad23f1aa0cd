import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  apiServerCases,
  prepareApiServer,
  startFakeCluster,
  type ApiAnswer,
  type ApiCall,
  type ApiClient,
  type ApiWatch,
  type FakeCluster,
} from "../../src/testing/index.js";
import { apiClient, type TestApiClient } from "./api-client.js";

/** A server that is almost right: what it answers is changed on the way. */
interface Distortion {
  readonly call?: (call: ApiCall) => ApiCall;
  readonly answer?: (answer: ApiAnswer, call: ApiCall) => ApiAnswer;
  readonly query?: (query: Readonly<Record<string, string>>) => Readonly<Record<string, string>>;
  readonly event?: (event: Event) => Event | null;
}

interface Event {
  readonly type: string;
  readonly object: { readonly metadata: Readonly<Record<string, unknown>> };
}

function distorted(client: ApiClient, { call, answer, query, event }: Distortion): ApiClient {
  return {
    request: async (asked) => {
      const real = await client.request(call?.(asked) ?? asked);
      return answer?.(real, asked) ?? real;
    },
    watch: async (asked): Promise<ApiWatch> => {
      const { status, events } = await client.watch({ ...asked, query: query?.(asked.query) ?? asked.query });
      return { status, events: event === undefined ? events : through(events, event) };
    },
  };
}

async function* through(events: AsyncIterable<unknown>, change: (event: Event) => Event | null): AsyncGenerator {
  for await (const event of events) {
    const changed = change(event as Event);
    if (changed !== null) yield changed;
  }
}

const without = (key: string, query: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(query).filter(([name]) => name !== key));

const withoutVersion = (body: unknown): unknown => {
  const object = body as { metadata?: Record<string, unknown> };
  return { ...object, metadata: { ...object.metadata, resourceVersion: undefined } };
};

/** What is wrong with the server, and a case that must notice. */
const DISTORTIONS: readonly (readonly [what: string, noticed: RegExp, distortion: Distortion])[] = [
  [
    "overwrites newer versions",
    /a resourceVersion in a merge patch is a condition/,
    { call: (call) => (call.method === "PATCH" ? { ...call, body: withoutVersion(call.body) } : call) },
  ],
  [
    "creates what exists",
    /of two who create a lease/,
    {
      answer: (answer, { method }) =>
        method === "POST" && answer.status === 409 ? { ...answer, status: 201 } : answer,
    },
  ],
  [
    "takes times of three digits",
    /times without exactly six digits/,
    { answer: (answer) => (answer.status === 400 ? { ...answer, status: 201 } : answer) },
  ],
  [
    "writes everything through the status subresource",
    /the status subresource changes the status/,
    { call: (call) => ({ ...call, path: call.path.replace(/\/status$/, "") }) },
  ],
  [
    "watches without regard to labels",
    /objects enter and leave/,
    { query: (query) => without("labelSelector", query) },
  ],
  [
    "begins every watch anew",
    /a watch from a list misses nothing/,
    { query: (query) => without("resourceVersion", query) },
  ],
  [
    "sends no bookmarks",
    /bookmarks tell/,
    {
      query: (query) => ({ ...query, timeoutSeconds: "1" }),
      event: (event) => (event.type === "BOOKMARK" ? null : event),
    },
  ],
  [
    "tells deletions as changes",
    /a watch from a list misses nothing/,
    { event: (event) => (event.type === "DELETED" ? { ...event, type: "MODIFIED" } : event) },
  ],
  [
    "lists without regard to labels",
    /labels select/,
    { call: (call) => ({ ...call, query: without("labelSelector", call.query ?? {}) }) },
  ],
  [
    "gives secrets to those who asked for metadata",
    /of a secret one can have the metadata only/,
    { call: (call) => ({ ...call, accept: "application/json" }) },
  ],
  [
    "ends a list after its first page",
    /pages of a list are of one moment/,
    {
      answer: ({ body, ...answer }) => {
        const { metadata } = body as { metadata?: Record<string, unknown> };
        return {
          ...answer,
          body:
            metadata?.["continue"] === undefined
              ? body
              : { ...(body as object), metadata: { ...metadata, continue: "" } },
        };
      },
    },
  ],
];

describe("the API server's suite notices a server that", () => {
  let cluster: FakeCluster;
  let client: TestApiClient;

  beforeAll(async () => {
    cluster = await startFakeCluster({ bookmarkIntervalMs: 100 });
    client = apiClient({ server: cluster.url, token: cluster.token, ca: cluster.caCertificate });
  });

  afterAll(async () => {
    await client.close();
    await cluster.close();
  });

  it.each(DISTORTIONS)("%s", async (_, noticed, distortion) => {
    const { context, cleanUp } = await prepareApiServer(client, "teeth");
    try {
      const cases = apiServerCases.filter(({ name }) => noticed.test(name));
      expect(cases).toHaveLength(1);
      for (const { run } of cases) {
        await expect(run({ ...context, client: distorted(client, distortion) })).rejects.toThrow();
      }
    } finally {
      await cleanUp();
    }
  });
});
