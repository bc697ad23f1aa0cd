import { describe, expect, it } from "vitest";
import { fetchAhead } from "../../src/log/window.js";

const limits = { width: () => 4, maxWeight: 100, weight: (n: number): number => n };

describe("fetching ahead", () => {
  it("keeps order, at most `width` under way, and at most `maxWeight` but always one", async () => {
    let underWay = 0;
    let most = 0;
    let mostWeight = 0;
    let weight = 0;
    const fetch = async (n: number): Promise<number> => {
      most = Math.max(most, ++underWay);
      mostWeight = Math.max(mostWeight, (weight += n));
      await new Promise((resolve) => setTimeout(resolve, n % 3));
      underWay--;
      weight -= n;
      return -n;
    };
    const source = async function* (): AsyncGenerator<number> {
      for (const n of [1, 2, 3, 4, 5, 6, 90, 95, 250, 1, 2]) yield await Promise.resolve(n);
    };
    const seen: number[] = [];
    for await (const ready of fetchAhead(source, fetch, limits)) seen.push(...ready.map(({ result }) => result));
    expect(seen).toEqual([-1, -2, -3, -4, -5, -6, -90, -95, -250, -1, -2]);
    expect(most).toBe(4);
    expect(mostWeight).toBeLessThan(100 + 250);
  });

  it("hands out what is fetched while the source is slow, and stops the source when the loop is left", async () => {
    let aborted = false;
    const source = async function* (signal: AbortSignal): AsyncGenerator<number> {
      yield* [1, 2];
      await new Promise((resolve) => {
        signal.addEventListener("abort", resolve);
      });
      aborted = true;
    };
    const seen: number[] = [];
    for await (const ready of fetchAhead(source, (n) => Promise.resolve(n), limits)) {
      seen.push(...ready.map(({ result }) => result));
      if (seen.length === 2) break;
    }
    await new Promise(setImmediate);
    expect([seen, aborted]).toEqual([[1, 2], true]);
  });
});
