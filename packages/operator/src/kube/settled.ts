/**
 * Waits for what others wait for as well, for as long as this one's signal lets it.
 * @throws what `shared` fails with, or the signal's reason
 */
export async function settled<T>(shared: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_, fail) => {
    onAbort = () => {
      fail(signal.reason as Error);
    };
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([shared, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
