import { NotInstalled } from "./not-installed.mjs";
import { INSTALL_LINE, missingPrograms, startGateway } from "../../scripts/rgw.mjs";

const BUCKET = "rynxs-bench";

/**
 * A real S3 server, Ceph RADOS Gateway, on bluestore: what it acknowledges is on the disk.
 * @returns {Promise<import("./s3.mjs").Bucket>}
 */
export async function startBenchGateway(cleanup) {
  const missing = missingPrograms();
  if (missing.length > 0) throw new NotInstalled(`not installed: ${missing.join(", ")}; ${INSTALL_LINE}`);
  const gateway = startGateway(BUCKET, { store: "bluestore" });
  const ended = new Promise((resolve) => gateway.process.once("close", resolve));
  cleanup.add(async () => {
    gateway.process.kill("SIGTERM");
    await ended;
    gateway.wipe();
  });
  const env = await gateway.started;
  return {
    server: "Ceph RADOS Gateway, bluestore",
    bareEtags: true,
    endpoint: env.S3_ENDPOINT,
    bucket: BUCKET,
    region: "us-east-1",
    accessKeyId: env.AWS_ACCESS_KEY_ID,
    secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
  };
}
