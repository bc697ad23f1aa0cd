import type { SignedCheckpoint } from "@rynxs/event-store/trust";
import { oneLine, showTime } from "./text.js";

export function checkpointJson({ origin, size, root, signatures }: SignedCheckpoint): Record<string, unknown> {
  return {
    origin,
    size,
    root: root.toString("base64"),
    signed_by: signatures.map(({ key, time }) => ({ name: key.name, key_id: idOf(key.id), time })),
  };
}

/** Who of those that are trusted has signed; witnesses say when. */
export function signedBy({ signatures }: SignedCheckpoint): string {
  return signatures
    .map(
      ({ key, time }) =>
        `${oneLine(key.name)} (${idOf(key.id)}${time === undefined ? "" : `, ${showTime(time * 1000)}`})`,
    )
    .join(", ");
}

function idOf(id: number): string {
  return id.toString(16).padStart(8, "0");
}
