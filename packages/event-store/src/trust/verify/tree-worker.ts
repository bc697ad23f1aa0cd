/** A thread that makes a tree: the first message says where it begins, all others are event hashes, 32 bytes each. */

import { parentPort } from "node:worker_threads";
import { HashTree, type TreeAt, type TreeBegin } from "./hash-tree.js";

export type TreeMessage = { readonly begin: TreeBegin; readonly stops: readonly number[] } | Uint8Array;

/** What the tree has passed so far; roots as they come across threads. */
export type TreeAnswer = readonly (readonly [size: number, tree: TreeAt])[];

const port = parentPort;
let tree: HashTree | null = null;
port?.on("message", (message: TreeMessage) => {
  if (message instanceof Uint8Array) tree?.append(Buffer.from(message.buffer, message.byteOffset, message.byteLength));
  else tree = new HashTree(message.begin, message.stops);
  port.postMessage([...(tree?.passed ?? [])]);
});
