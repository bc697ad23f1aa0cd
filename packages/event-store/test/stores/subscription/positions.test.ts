import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { directoryObjects } from "../../../src/objects/directory.js";
import { memoryObjects } from "../../../src/objects/memory.js";
import type { ObjectStore, PutOutcome } from "../../../src/objects/port.js";
import { BackendError } from "../../../src/core/errors.js";
import { positionsOf } from "../../../src/stores/subscription/positions.js";
import type { DurablePosition, PositionStore } from "../../../src/stores/subscription/port.js";
import { FAULTS, startS3Emulator, type Fault, type S3Emulator } from "../../../src/testing/s3-emulator/index.js";
import { FaultBench, isSlow, QuickRuntime } from "../../log/fault-bench.js";
import { overriding } from "../../log/overriding.js";
import { scratchFolder } from "../file/scratch.js";

let ids = 0;

function store(objects: ObjectStore): PositionStore {
  return positionsOf({ derived: { objects, root: "log/" } }, new QuickRuntime(() => `id${String(ids++)}`));
}

const head = (seq: number): { seq: number; hash: string } => ({ seq, hash: String(seq % 10).repeat(64) });

const drivers: Record<string, () => ObjectStore> = {
  memory: () => memoryObjects(),
  directory: () => directoryObjects({ path: join(scratchFolder(), "derived") }),
};

describe.each(Object.entries(drivers))("positions (%s)", (_name, make) => {
  it("begin as nothing, are moved, and are found again", async () => {
    const objects = make();
    const mailer = await store(objects).open("mailer", { consumer: "host-1 ü" });
    expect(mailer.saved).toBeNull();
    for (const seq of [0, 5, 6]) await mailer.save(head(seq));
    const again = await store(objects).open("mailer");
    expect(again.saved).toMatchObject({ name: "mailer", ...head(6), consumer: "host-1 ü", updated: 1_700_000_000_000 });
    expect((await store(objects).open("other")).saved).toBeNull();
    await again.save(head(9));
    expect((await store(objects).open("mailer")).saved).toMatchObject(head(9));
    await objects.close();
  });

  it("are moved by one of those that found the same one, and the others are told", async () => {
    const objects = make();
    for (const round of [1, 2]) {
      const rivals = await Promise.all(["a", "b", "c"].map((consumer) => store(objects).open("mailer", { consumer })));
      const base = 100 * round;
      const results = await Promise.allSettled(rivals.map((rival, i) => rival.save(head(base + i))));
      const winner = results.findIndex(({ status }) => status === "fulfilled");
      expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      for (const result of results)
        if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "POSITION_TAKEN" });
      // The loser never gets it back; the winner goes on.
      for (const [i, rival] of rivals.entries()) {
        const next = rival.save(head(base + 10));
        await (i === winner
          ? next
          : expect(next).rejects.toMatchObject({ code: "POSITION_TAKEN", action: "conflict" }));
      }
      expect((await store(objects).open("mailer")).saved).toMatchObject(head(base + 10));
    }
    await objects.close();
  });

  it("stop a consumer whose position was removed", async () => {
    const objects = make();
    const mailer = await store(objects).open("mailer");
    await mailer.save(head(1));
    await store(objects).remove("mailer");
    await expect(mailer.save(head(2))).rejects.toMatchObject({ code: "POSITION_TAKEN" });
    expect((await store(objects).open("mailer")).saved).toBeNull();
    await objects.close();
  });

  it("have names of their own, and refuse others", async () => {
    const objects = make();
    for (const name of [".", "..", "-", "a.json", "x".repeat(200)]) {
      await (await store(objects).open(name)).save(head(name.length));
      expect((await store(objects).open(name)).saved).toMatchObject(head(name.length));
    }
    for (const name of ["", "a/b", "ä", "a b", "a\0", "x".repeat(201), "../up"]) {
      await expect(store(objects).open(name)).rejects.toMatchObject({ code: "INVALID_CONFIG" });
    }
    await expect(store(objects).open("a", { consumer: "\ud800" })).rejects.toMatchObject({ code: "INVALID_CONFIG" });
    const position = await store(objects).open("a");
    for (const bad of [
      { seq: -1, hash: "0".repeat(64) },
      { seq: 1, hash: "x" },
    ])
      await expect(position.save(bad)).rejects.toMatchObject({ code: "INVALID_CONFIG" });
    expect((await store(objects).open("a")).saved).toBeNull();
    await objects.close();
  });

  it("that cannot be read are an error, and nothing is written over them", async () => {
    const objects = make();
    const good = `{"hash":"${"1".repeat(64)}","id":"x-0","name":"bad","seq":3,"updated":5}`;
    const bodies = [
      "",
      "[]",
      "null",
      "{}",
      good.slice(1),
      good.replace('"seq":3', '"seq":-1'),
      good.replace("bad", "c"),
    ];
    for (const body of [...bodies, good.replace("11", "zz"), good.replace('"x-0"', "7")]) {
      await objects.delete("log/_positions/bad.json");
      await objects.putIfAbsent("log/_positions/bad.json", Buffer.from(body));
      await expect(store(objects).open("bad")).rejects.toMatchObject({ code: "INVALID_CONFIG" });
      expect((await objects.get("log/_positions/bad.json"))?.body.toString()).toBe(body);
    }
    await objects.delete("log/_positions/bad.json");
    await objects.putIfAbsent("log/_positions/bad.json", Buffer.from(good));
    expect((await store(objects).open("bad")).saved).toMatchObject({ seq: 3 });
    await objects.close();
  });
});

it("a position is one file of canonical JSON", async () => {
  const path = scratchFolder();
  const objects = directoryObjects({ path });
  await (await store(objects).open("mailer", { consumer: "c" })).save(head(2));
  expect(readdirSync(join(path, "log", "_positions"))).toEqual(["mailer.json"]);
  expect((await objects.get("log/_positions/mailer.json"))?.body.toString()).toMatch(
    /^\{"consumer":"c","hash":"2{64}","id":"id\d+-0","name":"mailer","seq":2,"updated":1700000000000\}$/,
  );
  await objects.close();
});

describe("a save whose answer is lost", () => {
  let emulator: S3Emulator;
  beforeAll(async () => {
    emulator = await startS3Emulator({ buckets: ["events"] });
  });
  afterAll(() => emulator.close());

  const faults: Fault[] = [
    FAULTS.dropRequest,
    FAULTS.dropAnswer,
    FAULTS.resetBefore,
    FAULTS.resetAfter,
    FAULTS.applyLate,
    FAULTS.hang,
    FAULTS.hangAfterCommit,
    FAULTS.conflict,
    FAULTS.conflictAfterCommit,
    FAULTS.internalError,
    FAULTS.internalErrorAfterCommit,
    FAULTS.slowDown(),
    FAULTS.tooManyRequests(),
    FAULTS.truncated,
    FAULTS.twice,
  ];
  for (const fault of faults) {
    for (const when of ["creates", "replaces"] as const) {
      it(`${fault.name}, where it ${when} the object`, async () => {
        const bench = new FaultBench(emulator, { impatient: isSlow(fault) });
        const positions = store(bench.driver());
        const mailer = await positions.open("mailer");
        if (when === "replaces") await mailer.save(head(1));
        bench.fault(fault, { method: "PUT", key: "log/_positions/mailer.json" });
        emulator.requests.length = 0;
        await mailer.save(head(2));
        bench.heal();
        // What was stored is not stored again.
        const puts = emulator.requests.filter(({ method }) => method === "PUT");
        const wasStored = fault.apply === "once" || fault.apply === "twice";
        expect(puts).toHaveLength(wasStored ? 1 : 2);
        emulator.releaseLate();
        // Had the late put won, this would not be what was saved last.
        await mailer.save(head(3));
        emulator.releaseLate();
        expect((await positions.open("mailer")).saved).toMatchObject(head(3));
        await positions.remove("mailer");
        await bench.close();
      });
    }
  }
});

describe("a save that was given up", () => {
  /** Puts fail without an answer; the first one is stored when `land` is called. */
  async function givenUp(): Promise<{
    objects: ObjectStore;
    mailer: DurablePosition;
    land: () => Promise<PutOutcome>;
  }> {
    const real = memoryObjects();
    await (await store(real).open("mailer")).save(head(1));
    let late: (() => Promise<PutOutcome>) | null = null;
    let down = true;
    const lost = new BackendError("UNAVAILABLE", "no answer");
    const objects = overriding(real, {
      replaceIfMatch: (...args) => {
        if (!down) return real.replaceIfMatch(...args);
        late ??= () => real.replaceIfMatch(...args);
        return Promise.resolve({ outcome: "unknown", sent: true, cause: lost });
      },
    });
    const mailer = await store(objects).open("mailer");
    await expect(mailer.save(head(2))).rejects.toBe(lost);
    down = false;
    return { objects: real, mailer, land: () => late?.() ?? Promise.reject(new Error("nothing was put")) };
  }

  it("and lands before the next one is its consumer's own, not another's", async () => {
    const { objects, mailer, land } = await givenUp();
    expect(await land()).toMatchObject({ outcome: "stored" });
    await mailer.save(head(3));
    expect((await store(objects).open("mailer")).saved).toMatchObject(head(3));
  });

  it("and lands behind the next one changes nothing", async () => {
    const { objects, mailer, land } = await givenUp();
    await mailer.save(head(3));
    expect(await land()).toEqual({ outcome: "exists" });
    await mailer.save(head(4));
    expect((await store(objects).open("mailer")).saved).toMatchObject(head(4));
  });

  it("and lands before another consumer's stops that one", async () => {
    const { objects, mailer, land } = await givenUp();
    const other = await store(objects).open("mailer");
    await land();
    await expect(other.save(head(7))).rejects.toMatchObject({ code: "POSITION_TAKEN" });
    await mailer.save(head(3));
  });

  it("and was overtaken by another consumer ends in POSITION_TAKEN", async () => {
    const { objects, mailer, land } = await givenUp();
    await (await store(objects).open("mailer")).save(head(7));
    expect(await land()).toEqual({ outcome: "exists" });
    await expect(mailer.save(head(3))).rejects.toMatchObject({ code: "POSITION_TAKEN", facts: { actual: 7 } });
    expect((await store(objects).open("mailer")).saved).toMatchObject(head(7));
  });
});
