import fc, { type Arbitrary } from "fast-check";
import { it } from "vitest";

export { fc };

/** A property as a test. */
export function test<T extends readonly unknown[]>(
  name: string,
  arbitraries: { readonly [K in keyof T]: Arbitrary<T[K]> },
  holds: (...values: T) => void | Promise<void>,
  numRuns = 2000,
): void {
  it(name, () =>
    fc.assert(
      fc.asyncProperty(fc.tuple(...(arbitraries as readonly Arbitrary<unknown>[])), async (values) =>
        holds(...(values as unknown as T)),
      ),
      {
        numRuns,
      },
    ),
  );
}
