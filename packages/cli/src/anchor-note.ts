import type { Anchor } from "@rynxs/event-store";
import { showHead } from "./options.js";

/** For people: what a read or verification that does not begin at seq 0 stands on. */
export function anchorNote(anchor: Anchor): string | undefined {
  if (anchor.source === "genesis") return undefined;
  const where = anchor.source === "record" ? "the record before," : "the given record";
  return `anchored on ${where} ${showHead(anchor)}: what lies before seq ${String(anchor.seq + 1)} was not verified`;
}
