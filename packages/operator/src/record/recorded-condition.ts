/** The condition by which an object's status says what the log holds of it. */
export const RECORDED = "Recorded";

/** Its message; `recordedSeqOf` reads it back. */
export function recordedMessage(seq: number, eventHash: string): string {
  return `seq ${String(seq)}, event_hash ${eventHash}`;
}

/** The seq that the conditions of a status name; −1 when they name none. */
export function recordedSeqOf(conditions: readonly unknown[]): number {
  for (const condition of conditions as readonly ({ readonly type?: unknown; readonly message?: unknown } | null)[]) {
    if (condition?.type !== RECORDED || typeof condition.message !== "string") continue;
    const seq = /^seq ([0-9]{1,10}), event_hash [0-9a-f]{64}$/.exec(condition.message)?.[1];
    if (seq !== undefined) return Number(seq);
  }
  return -1;
}
