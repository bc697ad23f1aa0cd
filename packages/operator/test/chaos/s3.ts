import { startS3Emulator, type FaultTable } from "@rynxs/event-store/testing";
import { startS3Proxy } from "./s3-proxy.js";

/** Where a real S3 server is. */
export interface S3Server {
  readonly endpoint: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** An S3 server with faults. */
export interface FaultyS3 {
  /** For people. */
  readonly name: string;
  /** How the operators reach it, with all that goes wrong. */
  readonly faulty: S3Server;
  /** How the checker reaches it. */
  readonly direct: S3Server;
  readonly faults: FaultTable;
  /** How often each fault happened so far. */
  readonly happened: ReadonlyMap<string, number>;
  /** Lets the requests that are held go on. */
  release(): void;
  close(): Promise<void>;
}

/** The real server that the environment names, as for the tests of the stores; null: none. */
export function realServer(env: Readonly<Record<string, string | undefined>>): S3Server | null {
  const endpoint = env["RYNXS_TEST_S3_ENDPOINT"] ?? "";
  if (endpoint === "") return null;
  return {
    endpoint,
    bucket: env["RYNXS_TEST_S3_BUCKET"] ?? "",
    accessKeyId: env["AWS_ACCESS_KEY_ID"] ?? "",
    secretAccessKey: env["AWS_SECRET_ACCESS_KEY"] ?? "",
  };
}

/** The real server, or else the emulator, behind a proxy that fails: the same faults for both. */
export async function faultyS3(real: S3Server | null): Promise<FaultyS3> {
  const emulator = real === null ? await startS3Emulator({ buckets: ["events"], latencyMs: 5 }) : null;
  const direct = real ?? {
    endpoint: emulator?.endpoint ?? "",
    bucket: "events",
    accessKeyId: "test",
    secretAccessKey: "testsecret",
  };
  const proxy = await startS3Proxy(direct.endpoint);
  return {
    name: emulator === null ? `the S3 server at ${direct.endpoint}` : "the S3 emulator",
    faulty: { ...direct, endpoint: proxy.endpoint },
    direct,
    faults: proxy.faults,
    happened: proxy.happened,
    release: () => proxy.release(),
    close: async () => {
      await proxy.close();
      await emulator?.close();
    },
  };
}
