import { canonicalState, project, type JsonValue, type Projected } from "@rynxs/event-store";
import type { Context } from "../context.js";
import { openStore, showHead, withStore, type StoreFlags } from "../options.js";
import { loadProjection, startProjectionProgress } from "../projection-file.js";
import { count, prettyJson } from "../text.js";

export interface ReplayFlags extends StoreFlags {
  readonly projection: string;
  readonly to?: number;
  readonly twice?: true;
  /** False with --no-snapshot. */
  readonly snapshot: boolean;
}

/** Prints the state that a projection comes to. Writes nothing. */
export async function replay(flags: ReplayFlags, { output, interrupts }: Context): Promise<void> {
  const projection = await loadProjection(flags.projection);
  await withStore(openStore(flags, output, { readOnly: true }), async (store) => {
    const progress = await startProjectionProgress("replaying", store, flags.to);
    let found: Projected<unknown>;
    try {
      found = await project(store, projection, {
        toSeq: flags.to,
        twice: flags.twice,
        useSnapshots: flags.snapshot,
        signal: interrupts.stop,
        onProgress: ({ seq }) => {
          progress.update(seq + 1);
        },
        onWarning: output.warn,
      });
    } finally {
      progress.stop();
    }
    const { state, stateHash, head, from, events } = found;
    const { name, version } = projection;
    if (output.json) {
      const at = `"head":{"hash":"${head.hash}","seq":${String(head.seq)}},"projection":${JSON.stringify(name)}`;
      const text = `"state":${canonicalState(state)},"state_hash":"${stateHash}","version":${String(version)}`;
      await output.line(`{"events":${String(events)},"from":${String(from)},${at},${text}}`);
      return;
    }
    await output.line(prettyJson(state as JsonValue));
    const start = from < 0 ? "from the beginning of the log" : `behind the snapshot of seq ${String(from)}`;
    const twice = flags.twice ? ", twice, with the same state" : "";
    output.note(
      `${name}, version ${String(version)}, at ${showHead(head)}: ${count(events, "event")} ${start}${twice}`,
    );
  });
}
