// What one would write with AWS's SDK.

import { drive } from "../lib/drive.mjs";
import { eventAt } from "../lib/events.mjs";
import { recordChain, recordLines } from "../lib/library.mjs";
import { freshPrefix, openSdkClient } from "../lib/s3.mjs";

const name = (seq) => `${String(seq).padStart(10, "0")}.json`;

async function openSdk(s3) {
  const { GetObjectCommand, PutObjectCommand } = await import("@aws-sdk/client-s3");
  const client = await openSdkClient(s3);
  const Bucket = s3.bucket;
  return {
    put: (Key, Body, more = {}) =>
      client.send(new PutObjectCommand({ Bucket, Key, Body, ContentType: "application/json", ...more })),
    get: async (Key) => {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
      return Body.transformToByteArray();
    },
    close: () => client.destroy(),
  };
}

/** The one-object format as the Python system writes it: head, last event, put-if-absent, head; four requests an append. */
export async function appendInFour({ s3, warmUp = 20, ...plan }) {
  const sdk = await openSdk(s3);
  const prefix = freshPrefix("sdk");
  const next = await recordChain();
  const text = new TextDecoder();
  let written = 0;
  const one = async () => {
    if (written > 0) {
      const head = JSON.parse(text.decode(await sdk.get(`${prefix}/_head.json`)));
      const last = JSON.parse(text.decode(await sdk.get(`${prefix}/${name(head.last_seq)}`)));
      if (last.event_hash !== head.last_hash) throw new Error("the head is not the last event's");
    }
    const { seq, line, eventHash } = next(eventAt(written++));
    await sdk.put(`${prefix}/${name(seq)}`, line, { IfNoneMatch: "*" });
    await sdk.put(`${prefix}/_head.json`, JSON.stringify({ last_hash: eventHash, last_seq: seq }));
  };
  await drive({ ...plan, events: warmUp }, one);
  return { measure: () => drive(plan, one), close: sdk.close };
}

/** Put-if-absent of independent objects, so many in flight: no log, no order, only throughput. */
export async function putMany({ s3, warmUp = 200, ...plan }) {
  const sdk = await openSdk(s3);
  const prefix = freshPrefix("sdk");
  const lines = await recordLines(plan.events);
  let written = 0;
  const one = () => {
    const i = written++;
    return sdk.put(`${prefix}/${name(i)}`, lines[i % lines.length], { IfNoneMatch: "*" });
  };
  await drive({ ...plan, events: warmUp }, one);
  return { measure: () => drive(plan, one), close: sdk.close };
}

/** GETs of the objects of a log, `callers` at once. */
export async function getAll({ s3, prefix, log, callers, events, budgetMs = 60_000 }) {
  const sdk = await openSdk(s3);
  const one = (i) => sdk.get(`${prefix}/${name(i % log)}`);
  await drive({ events: Math.min(200, events), callers }, one);
  return { measure: () => drive({ events, callers, budgetMs }, one), close: sdk.close };
}
