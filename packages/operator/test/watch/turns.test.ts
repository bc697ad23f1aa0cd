import { expect, test } from "vitest";
import { Turns } from "../../src/watch/turns.js";
import { settle } from "./clock.js";

test("so many run at once, the others in order; who gives up waiting, or fails, leaves the turn to the next", async () => {
  const turns = new Turns(1);
  const order: string[] = [];
  const ends = new Map<string, (failed: boolean) => void>();
  const take = (name: string, signal = new AbortController().signal): Promise<string> =>
    turns
      .take(signal, async () => {
        order.push(name);
        await new Promise<void>((done, fail) =>
          ends.set(name, (failed) => {
            if (failed) fail(new Error("failed"));
            else done();
          }),
        );
        return `${name} done`;
      })
      .catch((error: unknown) => `${name} ${(error as { code?: string }).code ?? (error as Error).message}`);

  const impatient = new AbortController();
  const all = [take("a"), take("b", impatient.signal), take("c"), take("d")];
  await settle();
  expect(order).toEqual(["a"]);
  impatient.abort();
  expect(await all[1]).toBe("b ABORTED");
  ends.get("a")?.(true);
  await settle();
  expect(order).toEqual(["a", "c"]);
  ends.get("c")?.(false);
  await settle();
  ends.get("d")?.(false);
  expect(await Promise.all(all)).toEqual(["a failed", "b ABORTED", "c done", "d done"]);
  const last = take("e");
  await settle();
  ends.get("e")?.(false);
  expect(await last).toBe("e done");
});
