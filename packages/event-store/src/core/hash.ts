import { hash } from "node:crypto";

const HASH = /^[0-9a-f]{64}$/;

/** 64 lowercase hex digits? */
export function isHash(text: unknown): text is string {
  return typeof text === "string" && HASH.test(text);
}

/** event_hash = hex(sha256(ascii(prev_hash) ++ utf8(canonical event))). docs/SPEC.md, "Record". */
export function eventHash(prevHash: string, canonicalEvent: string): string {
  return hash("sha256", prevHash + canonicalEvent, "hex");
}

/** As `eventHash`, over the event's bytes as they are stored: [start, end) of `bytes`. */
export function eventHashOfSlice(prevHash: string, bytes: Buffer, start: number, end: number): string {
  const input = Buffer.allocUnsafe(64 + end - start);
  input.write(prevHash, 0, "latin1");
  bytes.copy(input, 64, start, end);
  return hash("sha256", input, "hex");
}
