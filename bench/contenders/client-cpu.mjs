// CPU time of the client's process for one request, with 64 in flight; the server is another process.

import { drive } from "../lib/drive.mjs";
import { openDriver, openSdkClient } from "../lib/s3.mjs";

const BODY = Buffer.alloc(1024, "x");

async function measureCpu(plan, call) {
  const before = process.cpuUsage();
  const { perSecond } = await drive(plan, call);
  const { user, system } = process.cpuUsage(before);
  return { cpuMicros: (user + system) / plan.events, perSecond };
}

async function opened({ events, close, ...calls }, method) {
  const plan = { events, callers: 64, budgetMs: 60_000 };
  const call = calls[method];
  await drive({ ...plan, events: Math.max(64, events >> 1) }, call);
  return { measure: () => measureCpu(plan, call), close };
}

/** @param {{ s3: object, method: "get" | "put", events: number }} options */
export async function ours({ s3, method, events }) {
  const objects = openDriver(s3);
  const put = async (i) => {
    const { outcome } = await objects.putIfAbsent(`k/${i}`, BODY, { metadata: { "put-id": String(i) } });
    if (outcome !== "stored") throw new Error(outcome);
  };
  return opened({ events, get: (i) => objects.get(`k/${i}`), put, close: () => objects.close() }, method);
}

/** @param {{ s3: object, method: "get" | "put", events: number }} options */
export async function awsSdk({ s3, method, events }) {
  const { GetObjectCommand, PutObjectCommand } = await import("@aws-sdk/client-s3");
  const client = await openSdkClient(s3);
  const Bucket = s3.bucket;
  const get = async (i) => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: `k/${i}` }));
    return Body.transformToByteArray();
  };
  const put = (i) =>
    client.send(
      new PutObjectCommand({
        Bucket,
        Key: `k/${i}`,
        Body: BODY,
        ContentType: "application/json",
        IfNoneMatch: "*",
        Metadata: { "put-id": String(i) },
      }),
    );
  return opened({ events, get, put, close: () => client.destroy() }, method);
}
