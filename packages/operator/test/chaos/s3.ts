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
  /** `Ceph RADOS Gateway behind a proxy`, for people. */
  readonly name: string;
  /** How the operators reach it, with all that goes wrong. */
  readonly faulty: S3Server;
  /** How the checker reaches it. Of the emulator the same: its faults are over by then. */
  readonly direct: S3Server;
  readonly faults: FaultTable;
  /** How often each fault happened so far. */
  happened(): ReadonlyMap<string, number>;
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

export async function faultyS3(real: S3Server | null): Promise<FaultyS3> {
  if (real !== null) {
    const proxy = await startS3Proxy(real.endpoint);
    return {
      name: `the S3 server at ${real.endpoint}, behind a proxy`,
      faulty: { ...real, endpoint: proxy.endpoint },
      direct: real,
      faults: proxy.faults,
      happened: () => proxy.happened,
      close: () => proxy.close(),
    };
  }
  const emulator = await startS3Emulator({ buckets: ["events"], latencyMs: 5 });
  const server = { endpoint: emulator.endpoint, bucket: "events", accessKeyId: "test", secretAccessKey: "testsecret" };
  const happened = new Map<string, number>();
  return {
    name: "the S3 emulator",
    faulty: server,
    direct: server,
    faults: emulator.faults,
    happened: () => {
      // Its list of requests grows without end otherwise.
      for (const { fault } of emulator.requests.splice(0))
        if (fault !== null) happened.set(fault, (happened.get(fault) ?? 0) + 1);
      return happened;
    },
    close: () => emulator.close(),
  };
}
