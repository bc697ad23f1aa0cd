// Help of the commands for long logs, and between systems.

export const COMPACT: string = `
Makes a compressed segment of every 10,000 events, and one of ten of those where
that stays small (on S3 under PREFIX/_segments/; a file log's rotated segments become
.gz files). Reads take segments by themselves. A segment holds the very lines of the
log, so zcat shows them, and it can be deleted at no cost but speed, unless the event
objects were pruned. On S3 it makes an index too, by which reads of one aggregate or
type touch little else (--no-index leaves it out). Safe to interrupt, and to run in several places at once.

Examples:
  rynxs compact
  rynxs compact --watch --interval 300

With --json: {"written","merged","records","head":{"seq","hash"}}, with --watch one
a run that did something.
`;

export const PRUNE: string = `
Deletes event objects of a bucket whose events are in segments, to save the cost of
storing them twice. Before the first one of a segment goes, the segment is read in full:
each record's hash, their links, and the links to what stands on either side. Never
deletes those of the last 10,000 events, nor any younger than a day. Says what it would
do, and deletes only with --yes. Afterwards the segments are the log: keep them.

Examples:
  rynxs prune
  rynxs prune --older-than 720 --yes

With --json: {"deleted","objects","bytes","range":{"first","last"} or null,"kept_from"}.
`;

export const COPY: string = `
FROM and TO are file:PATH or s3://BUCKET/PREFIX. Records are verified on the way and
arrive byte for byte. Run it again after an interruption, or when FROM has grown: it
goes on behind what TO holds, if that is the beginning of FROM; else it refuses.
Event by event on S3, unless --batch says how many go into one object. With --segments
a bucket gets objects of 1000 events each, and the copy ends with what rynxs compact does.
FROM is read through its segments by itself.

Examples:
  rynxs copy file:events.log s3://my-bucket/events
  rynxs copy s3://my-bucket/events file:backup.log
  rynxs copy s3://old/events s3://new/events --from-endpoint http://localhost:9000 --to-region eu-central-1 --batch 1000

With --json: {"copied","first_seq","head":{"seq","hash"}}.
`;

export const LIFECYCLE: string = `
Lifecycle rules let the bucket move a log's segments to a cheaper storage class by
itself. apply makes the log's own rules be what the options say, and no others;
remove takes them away. Both only say what would change, unless --yes is given.
Rules that are not the log's stay as they are; those that would delete or archive
its objects are warned of. S3 only.

Classes on AWS: STANDARD_IA (from 30 days), INTELLIGENT_TIERING and GLACIER_IR are
read as ever; objects in GLACIER and DEEP_ARCHIVE must be restored first (rynxs
restore). Event objects are never moved, and nothing but snapshots ever expires.

Examples:
  rynxs lifecycle show
  rynxs lifecycle apply --class GLACIER_IR --days 90
  rynxs lifecycle apply --class DEEP_ARCHIVE --days 365 --expire-snapshots 30 --yes
  rynxs lifecycle remove --yes

With --json: {"rules":[{"id","ours","enabled","prefix","does","change"}],
"changed"?,"applied"?,"warnings"}.
`;

export const RESTORE: string = `
Asks for copies of the archived segments that hold the range (default: all), says how
long it takes and what is billed. The copies are kept for --days; a copy that would
end earlier is kept longer. Run it as often as you like: it asks for nothing twice.
--wait looks every --interval seconds until all can be read. S3 only.

Examples:
  rynxs restore --from 0 --to 999999 --tier Bulk
  rynxs restore --days 30 --wait
  rynxs restore --json

With --json: {"segments":[{"first","last","key","size","storage_class","state",
"answer","readable_until"?}],"asked","readable"}; answer is asked, under-way,
prolonged or none.
`;

export const EXPORT: string = `
Events are verified as they are written: a fault ends it with exit 2, and a file or
part that is not whole never gets its name.

ndjson is {"seq","type","aggregate_id","ts","payload","meta","hash_version",
"event_hash","prev_hash"} a line, which rynxs import takes back; --raw gives the
stored records. csv has the same columns, payload and meta as JSON text. No number
loses a digit. parquet has the types bigint and string, and time: ts as a timestamp
where it can only be Unix milliseconds.

A spreadsheet runs a csv field that begins with = + - or @ as a formula: give
--guard-formulas when types or aggregate ids come from strangers.

With --output DIR/ each part file holds the events of one range of seqs, and
_export.json says which log they are of. Run it again after an interruption, or when
the log has grown: it goes on behind the last part, and refuses another log or other
events. Each run ends with a part of what is there, unless --full-parts.

Examples:
  rynxs export --type OrderPlaced > orders.ndjson
  rynxs export --format csv --from 1000 --to 1999 --output events.csv
  rynxs export --format parquet --output lake/
  rynxs export --format parquet --output lake/ --rows-per-file 250000 --partitioned

With --json, and --output FILE: {"rows","file","bytes","sha256"}; with DIR/
{"rows","first_seq","files","head":{"seq","hash"}}.
`;

export const QUERY: string = `
The table is events, with the columns seq, type, aggregate_id, ts, time, payload,
meta, hash_version, event_hash and prev_hash. payload and meta are JSON text:
payload->>'$.total' is a value in it. The SQL is DuckDB's; only statements that read
are taken.

The events that --from, --to, --aggregate and --type name are verified and written to
temporary files first (exit 2 at a fault). To ask often, export once and give --files
DIR: the files are checked against the export's manifest, and nothing is read twice.

DuckDB is not installed with rynxs: npm install @duckdb/node-api

Examples:
  rynxs query "select type, count(*) from events group by 1 order by 2 desc"
  rynxs query "select sum((payload->>'$.total')::decimal(18,2)) from events" --type OrderPlaced
  rynxs query "from events select aggregate_id, max(time) group by 1" --files lake/ --format csv
  rynxs query @report.sql --json

With --json (or --format json) an array of objects, a row each; numbers keep their
digits.
`;

export const IMPORT: string = `
Without --map a line is an event as rynxs export --format ndjson writes it, or as
rynxs append --stdin takes it. With --map it is any JSON object, and FILE says what
becomes of it:

  {"type": "$.eventType",
   "aggregate_id": {"template": "order-{$.orderId}"},
   "ts": {"path": "$.createdAt", "format": "iso8601"},
   "payload": "$.data",
   "meta": {"source": {"const": "legacy"}, "id": "$.id"},
   "skip": [{"path": "$.eventType", "equals": "Heartbeat"}]}

All rules are in docs/operations/import.md. Numbers keep their digits. The first bad
line ends it, with its number and the path in it; what came before is in the log.

The log remembers, under --name, how far an import got. Run the same command again
after an interruption, a fault or when the file has grown: every line becomes an event
once, also when the process was killed. A changed beginning or map is refused.

Examples:
  rynxs import legacy.ndjson --map legacy-map.json --dry-run
  rynxs import legacy.ndjson --map legacy-map.json
  zcat events.ndjson.gz | rynxs import - --name events-2024 --batch 500

With --json: {"imported","skipped","lines","already","first_seq","last_seq",
"head":{"seq","hash"}}; with --dry-run {"events","skipped","lines","first":[…]}.
`;
