import { describe, expect, it } from "vitest";
import { ReadWindow } from "../../src/log/read-window.js";

const WIDEST = 64;

/** So many GETs begin together. */
const begin = (window: ReadWindow, count: number): ReturnType<ReadWindow["begin"]>[] =>
  Array.from({ length: count }, () => window.begin());

/** One begins, and its object comes. */
const answer = (window: ReadWindow): void => window.begin().answered();

/** The server refuses one that began now. */
const burst = (window: ReadWindow): void => window.begin().onSlowDown();

describe("the width of the window", () => {
  it("is halved once by all that were sent before it was, however often they are refused", () => {
    const window = new ReadWindow();
    const gets = begin(window, WIDEST);
    for (let again = 0; again < 3; again++) for (const { onSlowDown } of gets) onSlowDown();
    expect(window.width).toBe(WIDEST / 2);
    // Those that were sent since say something new, and again only once.
    const next = begin(window, WIDEST / 2);
    for (const { onSlowDown } of [...next, ...gets]) onSlowDown();
    expect(window.width).toBe(WIDEST / 4);
  });

  it("never falls below two", () => {
    const window = new ReadWindow();
    for (let i = 0; i < 20; i++) burst(window);
    expect(window.width).toBe(2);
  });

  it("grows by one with each window's worth of answers, and not beyond what it was", () => {
    const window = new ReadWindow();
    burst(window);
    const widths: number[] = [];
    for (let answers = 0; answers < 32 + 33 + 34; answers++) {
      answer(window);
      widths.push(window.width);
    }
    expect([widths[30], widths[31], widths[63], widths[64], widths[97], widths[98]]).toEqual([32, 33, 33, 34, 34, 35]);
    for (let answers = 0; answers < 5000; answers++) answer(window);
    expect(window.width).toBe(WIDEST);
  });

  it("begins to count anew with each cut", () => {
    const window = new ReadWindow();
    for (let i = 0; i < WIDEST - 1; i++) answer(window);
    burst(window);
    for (let i = 0; i < WIDEST / 2 - 1; i++) answer(window);
    expect(window.width).toBe(WIDEST / 2);
    answer(window);
    expect(window.width).toBe(WIDEST / 2 + 1);
  });

  it("goes up and down as often as the server wants it", () => {
    const window = new ReadWindow();
    for (let round = 0; round < 50; round++) {
      burst(window);
      for (let i = 0; i < 40; i++) answer(window);
      expect(window.width).toBeGreaterThanOrEqual(2);
      expect(window.width).toBeLessThanOrEqual(WIDEST);
    }
  });
});
