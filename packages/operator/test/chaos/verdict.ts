/** What became of one of the things that must hold. */
export interface Verdict {
  readonly name: string;
  /** Empty: it holds. */
  readonly violations: readonly string[];
}
