/** Records of one aggregate, in order, from a part of a run. */
export interface Group {
  readonly id: string;
  readonly count: number;
  /** Seqs of the first and the last of them. */
  readonly first: number;
  readonly last: number;
  /** Their lines, each with its newline, in pieces of any size. */
  readonly pieces: readonly Buffer[];
}
