import type { Anchor } from "@rynxs/event-store";
import { showHead } from "./options.js";

/** For people: what a read or verification stands on that does not begin at seq 0, or that went through the index. */
export function anchorNote(anchor: Anchor): string | undefined {
  if (anchor.source === "genesis") return undefined;
  if (anchor.source === "index")
    return `found through the index up to seq ${String(anchor.seq)}: each event was checked by itself, not its link to the one before (--verify chain does both)`;
  const where = anchor.source === "record" ? "the record before," : "the given record";
  return `anchored on ${where} ${showHead(anchor)}: what lies before seq ${String(anchor.seq + 1)} was not verified`;
}
