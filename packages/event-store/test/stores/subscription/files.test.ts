import { symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { memoryObjects } from "../../../src/objects/memory.js";
import type { EventStore, ReadOptions } from "../../../src/stores/port.js";
import { FileWatch } from "../../../src/stores/file/file-watch.js";
import { LogFiles } from "../../../src/stores/file/log-files.js";
import { consume } from "../../../src/stores/subscription/consume.js";
import { event, events, scratchFolder, ScratchLog } from "../file/scratch.js";
import { Collected, openAlone, range } from "./bench.js";

let log: ScratchLog;
let store: EventStore;
/** As another process would have it: under a name by which its appends wake nobody here. */
let elsewhere: EventStore;

beforeEach(async () => {
  log = new ScratchLog();
  const link = join(scratchFolder(), "link");
  symlinkSync(dirname(log.path), link);
  store = await log.open();
  elsewhere = await new ScratchLog(join(link, "events.log")).open({ maxBytes: 1500 });
});
afterEach(() => store.close());

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

const last = (got: Collected): number => got.seqs.at(-1) ?? -1;

describe("following a file", () => {
  it("sees what another process appends, through rotations, from before the file is there", async () => {
    const got = new Collected(store.subscribe({ pollMs: 5 }));
    for (let n = 0; n < 60; n += 3) {
      await elsewhere.append(event(n));
      await elsewhere.appendBatch(events(n + 1, 2));
      if (n % 4 === 0) await until(() => last(got) === n + 2);
    }
    await until(() => last(got) === 59);
    expect(got.events.map(({ payload }) => payload["n"])).toEqual(range(0, 59));
    expect(log.suffixes().filter((suffix) => suffix.startsWith(".seg-")).length).toBeGreaterThan(3);
    expect(got.isEnded).toBe(false);
  });

  it("is woken by this process however long the poll", async () => {
    const got = new Collected(store.subscribe({ pollMs: 86_400_000 }));
    for (let n = 0; n < 5; n++) {
      await store.append(event(n));
      await until(() => last(got) === n);
    }
    // The end of a long pause does not keep the store from closing.
    await store.close();
    expect(await got.ended).toBeNull();
  });

  it("reads the file only when it has changed", async () => {
    const watch = new FileWatch(new LogFiles(log.path));
    const look = (sure = false): Promise<"more" | null> =>
      watch.look({ seq: -1, hash: "" }, { sure, toSeq: Number.MAX_SAFE_INTEGER });
    expect([await look(), await look(), await look(true)]).toEqual(["more", null, "more"]);
    for (let n = 0; n < 12; n++) {
      await elsewhere.append(event(n));
      expect([await look(), await look()]).toEqual(["more", null]);
    }
  });

  it("misses nothing that is written between its look and its read", async () => {
    await elsewhere.append(event(0));
    let raced = 1;
    const got = new Collected(
      store.subscribe({
        pollMs: 5,
        onProgress: async () => {
          if (raced < 12) await elsewhere.append(event(raced++));
        },
      }),
    );
    await until(() => last(got) === 11);
    expect(got.seqs).toEqual(range(0, 11));
  });

  it("ends with the verdict on what does not link", async () => {
    await elsewhere.append(event(0));
    const got = new Collected(store.subscribe({ pollMs: 5 }));
    await until(() => last(got) === 0);
    const other = await openAlone(memoryObjects().bucket);
    await other.store.appendBatch([event(7), event(8)]);
    const lines: Buffer[] = [];
    const options: ReadOptions = { fromSeq: 1 };
    for await (const { line } of other.store.readRecords(options)) lines.push(line);
    log.add(Buffer.concat([...lines, Buffer.from("\n")]));
    expect(await got.ended).toMatchObject({ code: "CHAIN_BROKEN", seq: 1 });
  });

  it("consumers go on behind their position after a rotation", async () => {
    const handled: number[] = [];
    const run = (to: number): Promise<unknown> =>
      consume(store, { name: "c", to, pollMs: 5, handler: ({ seq }) => void handled.push(seq) });
    await elsewhere.append(event(0));
    await run(0);
    for (let n = 1; n < 30; n++) await elsewhere.append(event(n));
    await run(20);
    await run(29);
    expect(handled).toEqual(range(0, 29));
  });
});
