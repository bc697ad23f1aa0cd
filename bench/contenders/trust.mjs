// What a Merkle tree over a log costs: whole verification, verification of what is new, proofs, and the checkpointer's own work.

import { cp, mkdtemp, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  checkpoint,
  localSigner,
  parseProof,
  processMemory,
  proveInclusion,
  verifyProof,
  verifyTrust,
} from "@rynxs/event-store/trust";
import { eventAt } from "../lib/events.mjs";
import { FileEventStore } from "../lib/library.mjs";
import { median } from "../lib/stats.mjs";

const NEW = 1000;
const PROOFS = 50;
const signer = localSigner("bench.example/log", Buffer.alloc(32, 1));
const keys = [signer.key];

/** A copy of the log, signed. */
async function signedCopy(path) {
  const folder = await mkdtemp(join(dirname(path), "trust-"));
  await cp(path, join(folder, "log"));
  const store = await FileEventStore.open({ path: join(folder, "log") });
  const memory = processMemory();
  const sign = (more = {}) => checkpoint(store, { signers: [{ signer, memory }], ...more });
  await sign();
  const close = async () => {
    await store.close();
    await rm(folder, { recursive: true });
  };
  return { store, sign, close };
}

async function timed(work) {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const result = await work();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { seconds, cpuSeconds: (user + system) / 1e6, result };
}

/** The chain alone, and the chain with the tree: one after the other in one process that did both before. */
export async function whole({ path, events }) {
  const { store, close } = await signedCopy(path);
  const chain = () => store.verify({ workers: 1 });
  const both = () => verifyTrust(store, { keys, workers: 1, full: true });
  await chain();
  await both();
  return {
    async measure() {
      const [alone, tree] = [await timed(chain), await timed(both)];
      if (!alone.result.valid || tree.result.events !== events) throw new Error("not all was verified");
      return {
        chainPerSecond: events / alone.seconds,
        treePerSecond: events / tree.seconds,
        ratio: alone.seconds / tree.seconds,
      };
    },
    close,
  };
}

/** After a verification of everything, a thousand new events: with what is remembered, beside the same thousand as a chain. */
export async function incremental({ path, events }) {
  const { store, sign, close } = await signedCopy(path);
  const memory = processMemory();
  await verifyTrust(store, { keys, memory });
  const anchor = await store.head();
  await store.appendBatch(Array.from({ length: NEW }, (_, i) => eventAt(events + i)));
  await sign();
  const remembered = memory.text;
  const again = async () => {
    memory.text = remembered;
    return verifyTrust(store, { keys, memory });
  };
  const chain = () => store.verify({ anchor, fromSeq: anchor.seq + 1 });
  await again();
  await chain();
  return {
    async measure() {
      const [tree, alone] = [await timed(again), await timed(chain)];
      if (tree.result.events !== NEW) throw new Error(`verified ${tree.result.events} events instead of ${NEW}`);
      return { treeMs: tree.seconds * 1000, chainMs: alone.seconds * 1000 };
    },
    close,
  };
}

/** Proofs of chance records: what was read for each, how large it is, how long it takes to verify. */
export async function proofs({ path, events }) {
  const { store, close } = await signedCopy(path);
  let tiles = 0;
  const { objects, root } = store.derived;
  const counted = new Proxy(objects, {
    get: (target, name) => {
      if (name !== "get") return typeof target[name] === "function" ? target[name].bind(target) : target[name];
      return (key, options) => {
        if (/\/tile\//.test(key)) tiles++;
        return target.get(key, options);
      };
    },
  });
  const watched = new Proxy(store, {
    get: (target, name) => {
      if (name === "derived") return { objects: counted, root };
      return typeof target[name] === "function" ? target[name].bind(target) : target[name];
    },
  });
  return {
    async measure() {
      const made = [];
      tiles = 0;
      for (let i = 0; i < PROOFS; i++) made.push(await proveInclusion(watched, Math.floor(Math.random() * events)));
      for (const proof of made.slice(0, 10)) verifyProof(proof, { keys });
      const times = [];
      for (const proof of made) {
        const start = performance.now();
        await verifyProof(proof, { keys });
        times.push(performance.now() - start);
      }
      return {
        tiles: tiles / PROOFS,
        bytes: Math.max(...made.map((proof) => proof.length)),
        hashes: Math.max(...made.map((proof) => parseProof(proof).hashes.length)),
        verifyMs: median(times),
      };
    },
    close,
  };
}

/** The checkpointer over all events, its tiles made anew, beside the verified walk that it reads them by. */
export async function checkpointing({ path, events }) {
  const { store, sign, close } = await signedCopy(path);
  let writes = 0;
  const chain = () => store.verify({ workers: 1 });
  await sign({ rebuild: true });
  await chain();
  return {
    async measure() {
      const alone = await timed(chain);
      const made = await timed(() => sign({ rebuild: true }));
      writes = await tlogObjects(store);
      const perEvent = made.cpuSeconds / events;
      return {
        share: perEvent * 10_000,
        treeShare: Math.max(0, (made.cpuSeconds - alone.cpuSeconds) / events) * 10_000,
        requests: writes / (events / 256),
      };
    },
    close,
  };
}

/** Objects under `_tlog/`: each was one write. */
async function tlogObjects({ derived: { objects, root } }) {
  let [count, startAfter] = [0, undefined];
  for (;;) {
    const page = await objects.list({ prefix: `${root}_tlog/`, ...(startAfter !== undefined && { startAfter }) });
    count += page.entries.length;
    startAfter = page.entries.at(-1)?.key;
    if (!page.truncated) return count;
  }
}
