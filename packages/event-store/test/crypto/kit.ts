import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Keyring, type KeyringOptions } from "../../src/crypto/keyring.js";
import type { KeyStore } from "../../src/crypto/key-store.js";
import { objectKeyStore } from "../../src/crypto/object-keys.js";
import { localWrapper } from "../../src/crypto/wrapper.js";
import type { EventStoreError } from "../../src/core/errors.js";
import { memoryObjects, type MemoryObjects } from "../../src/objects/memory.js";
import type { EventStore } from "../../src/stores/port.js";
import { S3EventStore } from "../../src/stores/s3-event-store.js";
import { scratchFolder } from "../stores/file/scratch.js";

export const KEK: Buffer = Buffer.alloc(32, 7);
export const OTHER_KEK: Buffer = Buffer.alloc(32, 8);

type Bucket = MemoryObjects["bucket"];

export function memoryKeys(bucket: Bucket = memoryObjects().bucket): KeyStore {
  return objectKeyStore({ objects: memoryObjects({ bucket }) });
}

export function keyring(store: KeyStore = memoryKeys(), options: Partial<KeyringOptions> = {}): Keyring {
  return new Keyring({ store, wrapper: localWrapper(KEK), ...options });
}

export function memoryLog(bucket: Bucket = memoryObjects().bucket): Promise<EventStore> {
  return S3EventStore.open({ objects: memoryObjects({ bucket }), prefix: "events" });
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

export async function lines(store: Pick<EventStore, "readRecords">): Promise<string[]> {
  return (await all(store.readRecords())).map(({ line }) => line.toString());
}

export async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    (value) => `it gave ${JSON.stringify(value)}`,
    (error: unknown) => (error as EventStoreError).code,
  );
}

/** An executable script of a scratch folder, run by this very Node. */
export function script(source: string): string {
  const path = join(scratchFolder(), "program.mjs");
  writeFileSync(path, `#!${process.execPath}\n${source}`);
  chmodSync(path, 0o700);
  return path;
}

/** Reads its request, and answers as `answer` (the body of a function of `request`) says. */
export function answering(answer: string): string {
  return script(`import { readFileSync, writeFileSync, existsSync } from "node:fs";
const request = JSON.parse(readFileSync(0, "utf8"));
const answer = await (async (request) => { ${answer} })(request);
if (answer !== undefined) process.stdout.write(typeof answer === "string" ? answer : JSON.stringify(answer));`);
}
