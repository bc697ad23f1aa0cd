import type { Context } from "../context.js";
import type { StoreFlags } from "../options.js";
import { openStore, showHead, withStore } from "../options.js";

export interface HeadFlags extends StoreFlags {
  readonly reset?: true;
}

export async function head(flags: HeadFlags, { output }: Context): Promise<void> {
  await withStore(openStore(flags, output, { readOnly: !flags.reset }), async (store) => {
    if (flags.reset) {
      const { before, after } = await store.resetHead();
      const replaced = before === null ? "there was none that could be read" : `it was ${showHead(before)}`;
      await output.result(`head set to ${showHead(after)}, the log's last record; ${replaced}`, {
        before: before === null ? null : { seq: before.seq, hash: before.hash },
        after: { seq: after.seq, hash: after.hash },
      });
      return;
    }
    const { seq, hash } = await store.head();
    await output.result(showHead({ seq, hash }), { seq, hash });
    if (seq < 0) output.note(`the log at ${store.location} is empty`);
  });
}
