import { describe, expect, it } from "vitest";
import { oneByOne } from "../../src/stores/one-by-one.js";
import { SeededRandom } from "../log/random.js";

/** A source that gives these batches, each when it is let, and notes what is done to it. */
class Source implements AsyncIterable<readonly number[]> {
  asked = 0;
  returned = 0;
  readonly #batches: readonly (readonly number[] | Error)[];
  readonly #waits: (() => void)[] = [];
  readonly #patient: boolean;

  constructor(batches: readonly (readonly number[] | Error)[], patient = false) {
    this.#batches = batches;
    this.#patient = patient;
  }

  /** Answers the call of `next` that came first. */
  release(): void {
    this.#waits.shift()?.();
  }

  [Symbol.asyncIterator](): AsyncIterator<readonly number[]> {
    return {
      next: async () => {
        const batch = this.#batches[this.asked++];
        if (this.#patient) await new Promise<void>((resolve) => this.#waits.push(resolve));
        else await Promise.resolve();
        if (batch instanceof Error) throw batch;
        return batch === undefined ? { done: true, value: undefined } : { done: false, value: batch };
      },
      return: async () => {
        this.returned++;
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }
}

const text = (n: number): string => `item ${String(n)}`;
const items = (...numbers: number[]): { done: false; value: string }[] =>
  numbers.map((n) => ({ done: false, value: text(n) }));
const END = { done: true, value: undefined };

describe("the items of batches, one by one", () => {
  it("come in order, whatever the batches are; empty ones stand for nothing", async () => {
    const source = new Source([[], [1], [2, 3], [], [], [4, 5, 6], []]);
    const seen: string[] = [];
    for await (const item of oneByOne(source, text)) seen.push(item);
    expect(seen).toEqual([1, 2, 3, 4, 5, 6].map(text));
    expect(source.returned).toBe(0);
  });

  it("are made when they are asked for, not before", async () => {
    const made: number[] = [];
    const iterator = oneByOne(new Source([[1, 2, 3]]), (n: number) => made.push(n));
    await iterator.next();
    expect(made).toEqual([1]);
    await iterator.next();
    expect(made).toEqual([1, 2]);
  });

  it("the source is asked for no more than is wanted", async () => {
    const source = new Source([[1, 2], [3]]);
    const iterator = oneByOne(source, text);
    await iterator.next();
    await iterator.next();
    expect(source.asked).toBe(1);
    await iterator.next();
    expect(source.asked).toBe(2);
  });

  it("go to calls that do not wait for one another in their order", async () => {
    const source = new Source([[1, 2], [], [3], [4]], true);
    const iterator = oneByOne(source, text);
    const calls = Array.from({ length: 7 }, () => iterator.next());
    for (let i = 0; i < 6; i++) {
      source.release();
      await new Promise(setImmediate);
    }
    expect(await Promise.all(calls)).toEqual([...items(1, 2, 3, 4), END, END, END]);
  });

  it("calls that find an item there do not overtake one that waits", async () => {
    const source = new Source([[1], [2, 3]], true);
    const iterator = oneByOne(source, text);
    const order: string[] = [];
    const call = (name: string): Promise<unknown> =>
      iterator.next().then(({ value }) => order.push(`${name}: ${value ?? "end"}`));
    const first = call("a");
    source.release();
    await first;
    const calls = [call("b"), call("c")];
    source.release();
    await Promise.all(calls);
    expect(order).toEqual(["a: item 1", "b: item 2", "c: item 3"]);
  });

  it("nor does one that is made as soon as another is served", async () => {
    const source = new Source([[1, 2, 3]], true);
    const iterator = oneByOne(source, text);
    const a = iterator.next().then(async (first) => [first, await iterator.next()]);
    const b = iterator.next();
    source.release();
    expect(await Promise.all([a, b])).toEqual([items(1, 3), ...items(2)]);
  });

  it.each(Array.from({ length: 20 }, (_, seed) => seed))("at random: seed %i", async (seed) => {
    const random = new SeededRandom(seed);
    const batches = Array.from({ length: 8 }, () => Array.from({ length: random.below(4) }, () => random.below(1000)));
    const source = new Source(batches, true);
    const iterator = oneByOne(source, text);
    const told: unknown[] = [];
    const calls: Promise<unknown>[] = [];
    const wanted = batches.flat().length + 3;
    while (calls.length < wanted || source.asked <= batches.length) {
      if (calls.length < wanted && random.chance(0.6)) {
        const at = calls.length;
        calls.push(iterator.next().then((result) => (told[at] = result)));
      } else source.release();
      if (random.chance(0.5)) await new Promise(setImmediate);
    }
    for (let i = 0; i < 3; i++) {
      source.release();
      await new Promise(setImmediate);
    }
    await Promise.all(calls);
    expect(told, `seed ${String(seed)}`).toEqual([...items(...batches.flat()), END, END, END]);
  });
});

describe("leaving early", () => {
  it("in the middle of a batch ends the source, once", async () => {
    const source = new Source([[1, 2, 3], [4]]);
    for await (const item of oneByOne(source, text)) if (item === text(2)) break;
    expect([source.asked, source.returned]).toEqual([1, 1]);
  });

  it("before the first item ends the source, and nothing comes behind it", async () => {
    const source = new Source([[1]]);
    const iterator = oneByOne(source, text);
    expect(await iterator.return?.()).toEqual(END);
    expect(source.returned).toBe(1);
    expect(await iterator.next()).toEqual(END);
    expect(source.asked).toBe(0);
  });

  it("while calls wait: they are served first, those behind it end", async () => {
    const source = new Source([[1], [2]], true);
    const iterator = oneByOne(source, text);
    const before = iterator.next();
    const left = iterator.return?.();
    const after = iterator.next();
    source.release();
    expect(await Promise.all([before, left, after])).toEqual([...items(1), END, END]);
    expect([source.asked, source.returned]).toEqual([1, 1]);
  });

  it("by an error of the consumer's own ends the source, and is that error", async () => {
    const source = new Source([[1, 2]]);
    await expect(
      (async () => {
        for await (const item of oneByOne(source, text)) throw new Error(`mine at ${item}`);
      })(),
    ).rejects.toThrow("mine at item 1");
    expect(source.returned).toBe(1);
  });
});

describe("errors", () => {
  it("of the source come behind the items before it, once; then it is over", async () => {
    const source = new Source([[1, 2], new Error("source"), [3]]);
    const iterator = oneByOne(source, text);
    expect([await iterator.next(), await iterator.next()]).toEqual(items(1, 2));
    await expect(iterator.next()).rejects.toThrow("source");
    expect(await iterator.next()).toEqual(END);
    expect(source.asked).toBe(2);
  });

  it("in making an item end the source; then it is over", async () => {
    const source = new Source([[1, 2, 3], [4]]);
    const iterator = oneByOne(source, (n: number) => {
      if (n === 2) throw new Error("make");
      return text(n);
    });
    expect(await iterator.next()).toEqual(items(1)[0]);
    await expect(iterator.next()).rejects.toThrow("make");
    expect(source.returned).toBe(1);
    expect(await iterator.next()).toEqual(END);
    expect(source.asked).toBe(1);
  });

  it("in making the first item of a batch, for which it had to wait: the same", async () => {
    const source = new Source([[1]]);
    const iterator = oneByOne(source, (): string => {
      throw new Error("make");
    });
    const calls = [iterator.next(), iterator.next()];
    await expect(calls[0]).rejects.toThrow("make");
    expect(await calls[1]).toEqual(END);
    expect(source.returned).toBe(1);
  });

  it("go to the call that met them; the others are served or end", async () => {
    const source = new Source([[1], new Error("source")], true);
    const iterator = oneByOne(source, text);
    const calls = Promise.allSettled([iterator.next(), iterator.next(), iterator.next()]);
    for (let i = 0; i < 3; i++) {
      source.release();
      await new Promise(setImmediate);
    }
    expect(await calls).toMatchObject([{ value: items(1)[0] }, { reason: { message: "source" } }, { value: END }]);
  });
});
