import { renameSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { encodeMember } from "../../../src/log/segments/members.js";
import type { EventStore, ReadOptions } from "../../../src/stores/port.js";
import { vector } from "../../core/vectors.js";
import { SeededRandom } from "../../log/random.js";
import { ScratchLog } from "./scratch.js";

/** The golden log of 60 records. */
export const LINES: readonly string[] = vector("tampered/base.jsonl").toString().trimEnd().split("\n");

export const suffixOf = (index: number): string => `.seg-${String(index).padStart(6, "0")}`;

/** Lines as they stand in a file. */
export const text = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("");

/** A log of these segments; the last is the live file. */
export function logOf(...segments: readonly (string | Uint8Array)[]): ScratchLog {
  const log = new ScratchLog();
  segments.slice(0, -1).forEach((segment, i) => log.write(segment, suffixOf(i + 1)));
  log.write(segments.at(-1) ?? "");
  return log;
}

/** The golden log in four segments of 15 records, the last of which is the live file. */
export function goldenLog(lines: readonly string[] = LINES): ScratchLog {
  return logOf(...[0, 15, 30, 45].map((from) => text(lines.slice(from, from === 45 ? undefined : from + 15))));
}

/** A log in `segments` rotated segments of `each` events, with payloads that do not compress, and a live file of one. */
export async function longLog(segments: number, each: number, seed: number): Promise<ScratchLog> {
  const random = new SeededRandom(seed);
  const log = new ScratchLog();
  const payload = (): { fill: string } => ({
    fill: Array.from({ length: 20 }, () => random.next().toString(36).slice(2)).join(""),
  });
  for (let index = 1; index <= segments; index++) {
    await log.with(async (store) => {
      for (let left = each; left > 0; left -= 1000) {
        const batch = Array.from({ length: Math.min(left, 1000) }, (_, n) => ({
          type: "T",
          aggregateId: `a-${String(n % 7)}`,
          payload: payload(),
        }));
        await store.appendBatch(batch);
      }
    });
    renameSync(log.path, log.path + suffixOf(index));
  }
  await log.with((store) => store.appendWithRetry({ type: "T", aggregateId: "last" }));
  return log;
}

/** What `zcat` says. */
export const unzipped = (log: ScratchLog, index: number): string =>
  gunzipSync(log.bytes(`${suffixOf(index)}.gz`)).toString();

/** These bytes as a compressed segment, cut into members behind so many lines. */
export async function compressed(bytes: Buffer, lines = 1000): Promise<Buffer> {
  const all = bytes.toString("latin1").match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const members: Buffer[] = [];
  for (let i = 0; i < all.length; i += lines)
    members.push(await encodeMember(Buffer.from(all.slice(i, i + lines).join(""), "latin1")));
  return Buffer.concat(members);
}

/** Replaces a plain segment as an attacker would, or a compactor that checks nothing. */
export async function replace(log: ScratchLog, index: number, lines?: number): Promise<void> {
  log.write(await compressed(log.bytes(suffixOf(index)), lines), `${suffixOf(index)}.gz`);
  log.remove(suffixOf(index));
}

/** The stored lines of a range. */
export async function linesRead(store: EventStore, options?: ReadOptions): Promise<string[]> {
  const found: string[] = [];
  for await (const { line } of store.readRecords(options)) found.push(line.toString());
  return found;
}
