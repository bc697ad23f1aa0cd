/** Progress of a long command. */
export interface Progress {
  update(value: number): void;
  stop(): void;
}

const SILENT: Progress = { update: () => undefined, stop: () => undefined };

/** A line on standard error that follows the work; silent unless that is a terminal. Without `total`, a running count. */
export async function startProgress(verb: string, total?: number, noun = "events"): Promise<Progress> {
  if (!process.stderr.isTTY) return SILENT;
  const { SingleBar } = await import("cli-progress");
  const tail = `{value}{of} ${noun} · {duration_formatted}`;
  const bar = new SingleBar({
    format: total === undefined ? `${verb}  ${tail}` : `${verb}  [{bar}] {percentage}%  ${tail}`,
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true,
    barsize: 30,
    barCompleteChar: "=",
    barIncompleteChar: " ",
    fps: 5,
  });
  bar.start(total ?? Number.MAX_SAFE_INTEGER, 0, { of: total === undefined ? "" : `/${String(total)}` });
  return {
    update: (value) => {
      bar.update(value);
    },
    stop: () => {
      bar.stop();
    },
  };
}
