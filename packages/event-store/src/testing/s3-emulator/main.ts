import { parseArgs } from "node:util";
import { startS3Emulator } from "./server.js";

/*
 * The emulator as a program:
 *   node dist/testing/s3-emulator/main.js [--port N] [--bucket NAME]… [--access KEY] [--secret KEY] [--latency MS]
 * It prints what a client needs, as environment variables, and runs until it is interrupted.
 */
const { values } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    bucket: { type: "string", multiple: true, default: ["rynxs-events"] },
    access: { type: "string", default: "test" },
    secret: { type: "string", default: "testsecret" },
    latency: { type: "string", default: "0" },
  },
});

const emulator = await startS3Emulator({
  port: Number(values.port),
  buckets: values.bucket,
  accessKeyId: values.access,
  secretAccessKey: values.secret,
  latencyMs: Number(values.latency),
});
const settings = { S3_ENDPOINT: emulator.endpoint, AWS_ACCESS_KEY_ID: values.access, AWS_SECRET_ACCESS_KEY: values.secret };
for (const [name, value] of Object.entries(settings)) process.stdout.write(`${name}=${value}\n`);
process.once("SIGINT", () => void emulator.close());
process.once("SIGTERM", () => void emulator.close());
