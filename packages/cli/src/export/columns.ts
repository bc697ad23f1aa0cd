/** A column of the exported table, in all formats under this name and in this order. */
export interface Column {
  readonly name: string;
  /** In Parquet, and as SQL engines see it. `timestamp`: milliseconds in UTC. */
  readonly type: "bigint" | "string" | "timestamp";
  readonly nullable: boolean;
}

/** `time` is what Parquet has besides: the text formats leave it out, because `ts` says it. */
export const COLUMNS: readonly Column[] = [
  { name: "seq", type: "bigint", nullable: false },
  { name: "type", type: "string", nullable: false },
  { name: "aggregate_id", type: "string", nullable: false },
  { name: "ts", type: "bigint", nullable: false },
  { name: "time", type: "timestamp", nullable: true },
  { name: "payload", type: "string", nullable: false },
  { name: "meta", type: "string", nullable: false },
  { name: "hash_version", type: "string", nullable: false },
  { name: "event_hash", type: "string", nullable: false },
  { name: "prev_hash", type: "string", nullable: false },
];
