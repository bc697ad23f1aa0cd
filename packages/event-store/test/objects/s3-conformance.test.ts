import { randomUUID } from "node:crypto";
import { S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ObjectStore } from "../../src/objects/port.js";
import { openS3Objects, sdkS3Objects } from "../../src/objects/s3/index.js";
import { objectStoreConformance } from "../../src/testing/object-store-conformance.js";
import { startS3Emulator, type S3Emulator, type S3EmulatorOptions } from "../../src/testing/s3-emulator/index.js";

interface Server {
  readonly endpoint: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

const region = "us-east-1";

/** Opens a store by each driver; `release` ends what the store itself leaves to its owner. */
const DRIVERS: Readonly<Record<string, (server: Server) => { open: () => ObjectStore; release: () => void }>> = {
  "the lean driver": (server) => ({ open: () => openS3Objects({ ...server, region }), release: () => undefined }),
  "the SDK's client": ({ endpoint, bucket, ...credentials }) => {
    const { accessKeyId, secretAccessKey, sessionToken } = credentials;
    const token = sessionToken === undefined ? {} : { sessionToken };
    const client = new S3Client({
      endpoint,
      region,
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey, ...token },
    });
    return { open: () => sdkS3Objects({ client, bucket }), release: () => client.destroy() };
  },
};

/** Long listings are put to the test once with each server: it takes a while, and the rest of their path is the same. */
const FEW_KEYS = 30;

function suite(title: string, server: () => Server, longListings: boolean): void {
  describe.each(Object.entries(DRIVERS))(`${title}: %s`, (driver, connect) => {
    const manyKeys = longListings && driver === "the lean driver" ? undefined : FEW_KEYS;
    const prefix = `conformance-${randomUUID()}/`;
    let connection: ReturnType<typeof connect>;
    beforeAll(() => {
      connection = connect(server());
    });
    afterAll(() => {
      connection.release();
    });
    for (const { name, run } of objectStoreConformance) {
      it(name, () => run({ open: () => Promise.resolve(connection.open()), prefix, manyKeys }));
    }
    it("leaves nothing behind", async () => {
      const store = connection.open();
      expect(await store.list({ prefix })).toEqual({ entries: [], truncated: false });
      await store.close();
    });
  });
}

const EMULATORS: Readonly<Record<string, S3EmulatorOptions>> = {
  "the emulator": { region },
  "the emulator with Ceph's ETags": { region, bareEtags: true },
  "the emulator with session tokens": { sessionToken: "a/session+token==" },
};

for (const [title, options] of Object.entries(EMULATORS)) {
  describe(title, () => {
    let emulator: S3Emulator;
    beforeAll(async () => {
      emulator = await startS3Emulator({ ...options, buckets: ["conformance"] });
    });
    afterAll(() => emulator.close());
    const server = (): Server => ({ endpoint: emulator.endpoint, bucket: "conformance", ...emulator.credentials });
    suite(title, server, title === "the emulator");
  });
}

const endpoint = process.env["RYNXS_TEST_S3_ENDPOINT"] ?? "";
describe.runIf(endpoint !== "")("real server", () => {
  const server = (): Server => ({
    endpoint,
    bucket: process.env["RYNXS_TEST_S3_BUCKET"] ?? "",
    accessKeyId: process.env["AWS_ACCESS_KEY_ID"] ?? "",
    secretAccessKey: process.env["AWS_SECRET_ACCESS_KEY"] ?? "",
  });
  suite("real server", server, true);
});
