/** Something a person should know that failed nothing. */
export interface StoreWarning {
  /**
   * `TORN_TAIL_SET_ASIDE`, `HEAD_NOT_WRITTEN`, `ENDPOINT_SCHEME_ASSUMED`, `SEGMENT_UNUSABLE`, `INDEX_UNUSABLE`,
   * `SNAPSHOT_UNUSABLE`, `SNAPSHOT_NOT_WRITTEN`, `SNAPSHOT_NOT_DELETED`, `SUBSCRIPTION_TROUBLED`.
   */
  readonly code: string;
  readonly message: string;
}

export type OnWarning = (warning: StoreWarning) => void;

/** The default: Node's own warnings, on standard error. */
export const emitWarning: OnWarning = ({ code, message }) => {
  process.emitWarning(message, { type: "RynxsWarning", code });
};
