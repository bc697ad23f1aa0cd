// @jimvella/s3-event-store: streams on S3, each with a tail object that is replaced by compare-and-swap.

import { drive } from "../lib/drive.mjs";
import { eventAt } from "../lib/events.mjs";
import { loadPeer } from "../lib/peers.mjs";
import { freshPrefix, openSdkClient } from "../lib/s3.mjs";

const TREE = "others";
/** The most events that one append takes, unless a stream is made with another chunk size. */
const MOST = 20;

async function openPeer(s3, prefix = freshPrefix("peer")) {
  const { createEventStore } = loadPeer(TREE, "@jimvella/s3-event-store");
  const { awsSdkDriver } = loadPeer(TREE, "@jimvella/s3-event-store/drivers/aws-sdk");
  const client = await openSdkClient(s3, loadPeer(TREE, "@aws-sdk/client-s3"));
  if (s3.bareEtags) sendBareEtags(client);
  return { store: createEventStore({ driver: awsSdkDriver({ client, bucket: s3.bucket }), prefix }), client };
}

/** The gateway compares If-Match letter by letter with an ETag without quotes; without this the peer does not work on it. */
function sendBareEtags(client) {
  const strip = (next) => (args) => {
    const { headers } = args.request;
    if (headers["if-match"] !== undefined) headers["if-match"] = headers["if-match"].replaceAll('"', "");
    return next(args);
  };
  client.middlewareStack.add(strip, { step: "build", name: "bareEtags" });
}

const asTheirs = (i) => {
  const { type, payload, meta } = eventAt(i);
  return { type, data: payload, meta };
};

/** @param {{ s3: object, events: number, perCall?: number }} options `perCall`: events of one append, atomic as their docs show it */
export async function append({ s3, warmUp = 20, perCall = 1, ...plan }) {
  const { store, client } = await openPeer(s3);
  let written = 0;
  let version = "noStream";
  const one = async () => {
    const events = Array.from({ length: perCall }, () => asTheirs(written++));
    const { nextExpectedVersion } = await store.append("stream", events, { expectedVersion: version });
    version = nextExpectedVersion;
  };
  await drive({ ...plan, perCall, events: warmUp * perCall }, one);
  return { measure: () => drive({ ...plan, perCall }, one), close: () => client.destroy() };
}

/** Reads one stream of so many events, which it writes first. */
export async function replay({ s3, events }) {
  const { store, client } = await openPeer(s3);
  let version = "noStream";
  for (let at = 0; at < events; at += MOST) {
    const chunk = Array.from({ length: Math.min(MOST, events - at) }, (_, k) => asTheirs(at + k));
    ({ nextExpectedVersion: version } = await store.append("stream", chunk, { expectedVersion: version }));
  }
  const walk = async () => {
    let seen = 0;
    for await (const event of store.read("stream", { fromVersion: 0 })) if (event.version >= 0) seen++;
    return seen;
  };
  await walk();
  return {
    async measure() {
      const start = performance.now();
      const seen = await walk();
      if (seen !== events) throw new Error(`read ${seen} of ${events} events`);
      return { perSecond: (seen * 1000) / (performance.now() - start) };
    },
    close: () => client.destroy(),
  };
}
