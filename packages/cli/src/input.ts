import { createReadStream } from "node:fs";
import { usageError } from "./exit.js";

/** Standard input until it ends or `stop` does, which also ends the wait for input that may never come. */
export async function* standardInput(stop: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  const end = (): void => void process.stdin.destroy();
  stop.addEventListener("abort", end);
  try {
    for await (const chunk of process.stdin as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    if (!stop.aborted) throw error;
  } finally {
    stop.removeEventListener("abort", end);
  }
}

/** The bytes of a file, or of standard input for `-`. @throws CliError INVALID_CONFIG when the file cannot be read */
export async function* inputBytes(file: string, stop: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  if (file === "-") {
    yield* standardInput(stop);
    return;
  }
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>) {
      if (stop.aborted) return;
      yield chunk;
    }
  } catch (error) {
    throw usageError(
      `cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`,
      "- is standard input",
    );
  }
}
