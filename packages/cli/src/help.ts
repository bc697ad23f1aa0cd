/** The words of `rynxs --help` and of each command's, below what is generated from its options. */

export const TOP: string = `
Which log:
  --store file:PATH                a local file
  --store s3://BUCKET/PREFIX       a prefix in a bucket, of AWS or (--endpoint URL) of any S3 server
  without --store                  what the environment says

Environment:
  EVENT_STORE_TYPE                 file (default) or s3
  EVENT_STORE_PATH                 the file; default /var/log/rynxs/operator-events.log
  EVENT_STORE_MAX_BYTES            begin a new file segment at this size; default: never
  S3_BUCKET, S3_PREFIX             default rynxs-events, events
  S3_ENDPOINT, S3_REGION           default: AWS, us-east-1
  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE …
                                   as everywhere with AWS
  RYNXS_S3_USE_HEAD                keep a head object for fast opening: true (default) or false
  RYNXS_S3_HEAD_KEY                its key; default PREFIX/_head.json
  RYNXS_S3_BATCH                   appends that wait share an object: true or false (default)
  RYNXS_S3_CHECKSUMS               send a checksum with each put, as Object Lock wants it: true or false (default)
  RYNXS_S3_RETAIN                  Object Lock: keep each event object so long, as 7y; default: no retention
  RYNXS_S3_RETAIN_MODE             GOVERNANCE (default) or COMPLIANCE
  RYNXS_S3_SKIP_BUCKET_CHECK       do not look whether the bucket is there: true or false (default)
  RYNXS_HASH_VERSION               of new events: v1 (default) or v2
  RYNXS_CRYPTO_KEYS                where the keys of encrypted payloads are: file:DIR, s3://…, command:PROGRAM
  RYNXS_CRYPTO_KEY, RYNXS_CRYPTO_KEY_FILE, RYNXS_CRYPTO_COMMAND
                                   the key that wraps them: base64 or hex, a file, a program

Exit status:
  0  fine
  1  wrong usage, or something failed
  2  the log failed verification, or a link did (verify --pointers), or fsck found evidence
  130  ended by Ctrl-C (read --follow: 0, that is how it ends)

With --json an error is an object on standard output:
  {"error":{"code","message","seq"?,"expected"?,"actual"?,…,"hint"?}}

Begin with:
  rynxs demo
  rynxs append --store file:my.log --type OrderPlaced --aggregate order-1 --payload '{"total":42}'
  rynxs read   --store file:my.log
  rynxs verify --store file:my.log

Each command has its own help, with examples: rynxs append --help
`;

export const APPEND: string = `
One event: --type and --aggregate, maybe --payload, --meta, --ts. @FILE stands for
the JSON text in a file, @- for standard input. Without --ts the event gets the time
now in Unix milliseconds.

Many events: --stdin, one JSON object a line:
  {"type":…,"aggregate_id":…,"ts"?:…,"payload"?:{…},"meta"?:{…}}
Numbers keep their digits. The first bad line ends it: what came before is in the
log, nothing behind it is.
With --batch N each N events are one atomic write (and, on S3, one object): much
faster. A batch waits until it is full or the input ends.

--expect-prev appends only if the log's last event_hash is this one (64 zeros: the
log is empty); else exit 1 with the actual one. With --stdin each further write
expects the one before it, so that nobody gets in between.

--expect-version appends only if the aggregate has exactly N events (0: none yet),
whoever else appends; else exit 1 with the actual number. The event becomes version
N + 1 of its aggregate.

Examples:
  rynxs append --type OrderPlaced --aggregate order-1 --payload '{"total":42}'
  rynxs append --type DocumentSigned --aggregate contract-7 --payload @contract.json --json
  rynxs append --stdin --batch 500 < events.ndjson
  rynxs append --type Closed --aggregate order-1 --expect-prev "$(rynxs head | cut -d: -f2)"
  rynxs append --type Closed --aggregate order-1 --expect-version 3

With --json: {"seq","event_hash","prev_hash","version"?}; with --stdin
{"appended","first_seq","last_seq","head":{"seq","hash"}}.
`;

export const READ: string = `
Prints events as they come, each verified: its own hash, its link to the one before,
its place. It ends at the first fault, with exit 2. With --from, what lies before is
neither fetched nor verified, save the one record before.

--follow waits for new events until Ctrl-C; each must link to the last one seen.
--interval is the longest pause between two looks. With --position NAME it remembers,
beside the log, how far it has printed, and the next run goes on there (--from counts
only for the first): nothing is left out, and after a crash a little may come twice.
Of two that follow under one name, one is stopped (POSITION_TAKEN).

--json prints full records exactly as they are stored, one a line.

With --keys encrypted payloads are shown decrypted (the key that wraps them is in the
environment), and those whose key was destroyed as {"$shredded":…}; --json then prints
records whose hashes are of what is stored, not of what is shown.

With --aggregate or --type a log that has an index is not read whole: what the index
finds is checked record by record, each against its own hash, and a note says so.
--verify chain reads and links all records instead, as without an index.

Examples:
  rynxs read --aggregate order-1
  rynxs read --from 1000 --to 1999 --type OrderPlaced
  rynxs read --json | jq -r .event.type | sort | uniq -c
  rynxs read --follow --json --from 5000
  rynxs read --follow --json --type OrderPlaced --position mailer | send-mails
`;

export const AGGREGATES: string = `
Prints the ids of all aggregates in order (by code points), each with the number of
its events and the seqs of the first and the last one. A log that has an index is not
read for it, save what was appended since; every other one is read whole, for each
10,000 ids.

Examples:
  rynxs aggregates
  rynxs aggregates --prefix order- --limit 20
  rynxs aggregates --after order-1999 --limit 1000 --json

With --json one object a line: {"aggregate_id","count","first_seq","last_seq"}.
`;

export const VERIFY: string = `
Reads every record, recomputes its hash, checks its link and its place, and says how
many there are and what the head is. Exit 2 when something is wrong, with the seq
where it shows, what was expected and what was found.

A chain cannot show that its end was cut off: keep the head that verify printed
(elsewhere), and give it next time as --expect-head. --anchor is for a log whose
beginning is gone or was verified elsewhere: the record before its first one.

A long file is verified by several threads (-j), with the same verdict.

--pointers also checks the links of decisions to the events that caused them
(trigger_event_seq, trigger_event_hash and trigger_event_type in a payload): each
must name a record before its own, with that hash and type. Exit 2 when one is
broken, also when the chain itself is whole.

Examples:
  rynxs verify
  rynxs verify --expect-head 199:500ebcd1c3e5294b65908879e0da324cef4eb057c619c30e68b9abae2f01a58a
  rynxs verify --from 100000
  rynxs verify --pointers
  rynxs verify --json

With --json:
{"valid","events","head":{"seq","hash"},"error"?:{"code","seq","expected","actual"}};
"error" is absent from a valid log, and its seq is the seq expected at the fault:
the number of good records before it, counted from seq 0. With --pointers also
"pointers":{"checked","unverified","broken_count","broken":[{"seq","reason",
"trigger_event_seq","expected","actual"}]}, the first hundred of them.
`;

export const HEAD: string = `
Prints SEQ:HASH of the last record, as --expect-head and --anchor take it; -1: and
64 zeros for an empty log.

--reset is for a log that refuses to be appended to because its stored head
contradicts it (HEAD_CONTRADICTS_LOG). That is evidence that somebody cut or rewrote
its end: find out what happened first. Then --reset makes the last record that is
there the head, and says what it replaced.

Examples:
  rynxs head
  rynxs head --json
  rynxs head --reset

With --json: {"seq","hash"}; with --reset {"before":{"seq","hash"} or
null,"after":{"seq","hash"}}.
`;

export const REPLAY: string = `
Applies a projection to the events of the log, in their order, and prints its state.
It begins with the newest snapshot of that projection and version that fits the log
(rynxs snapshot writes them), else with the first event. It writes nothing.

FILE is an ES module whose default export (or "projection") is one, for example:
  export default {
    name: "balances",
    version: 1,                        // raise it when apply changes
    initial: {},
    apply(state, { type, aggregateId, payload }) {
      if (type === "Paid") state[aggregateId] = (state[aggregateId] ?? 0) + payload.amount;
      return state;
    },
  };
Its code is run as it is: it must be yours. The state is JSON. Integers beyond 2^53
are BigInts in payloads and states.

--twice applies the same events a second time and compares: a state that depends on
the clock, on chance, or on anything but the events is an error that names the first
event behind which the states differ.

Examples:
  rynxs replay --projection balances.mjs
  rynxs replay --projection balances.mjs --to 1999 --json | jq .state
  rynxs replay --projection balances.mjs --twice --no-snapshot

With --json, as canonical JSON:
{"events","from","head":{"hash","seq"},"projection","state","state_hash","version"};
"from" is the seq of the snapshot it began with, or -1.
`;

export const SNAPSHOT: string = `
Applies a projection to what is new in the log and writes its state down beside the
log: the next replay begins there. Older ones are deleted, except the --keep newest.
A snapshot names the record that it stands behind and is checked against the log
before it is used; all of them can be deleted at no cost but time. Ctrl-C ends it:
run it again, and it goes on from the last one that was written.

--list and --delete are for those of all versions of the projection.

Examples:
  rynxs snapshot --projection balances.mjs
  rynxs snapshot --projection balances.mjs --every 10000 --keep 2
  rynxs snapshot --projection balances.mjs --list

With --json: {"projection","version","seq","from","events","head":{"seq","hash"},
"state_hash"}, seq being null for an empty log; --list
{"projection","snapshots":[{"version","seq","bytes","key"}]}; --delete
{"projection","deleted"}.
`;

export const DOCTOR: string = `
Finds out whether the store can be trusted with a log. On S3: can it be reached, do
the credentials allow reading, writing and deleting, are conditional writes honoured
(also with 8 writers at once), does a list show what was just written, how far are
the clocks apart. For a file: can it be written and synced, does its lock keep
others out, is there space. It writes and removes probes beside the log, never the
log itself.

Then, of a bucket, what protects the log from others: TLS, the bucket's policy,
versioning, Object Lock, public access, encryption. These are advice (!), not
failures; – stands for what the server does not know or may not be asked.
--probe-policy also tries the policy: an unconditional and a conditional put on
PREFIX/0-probe-01.json, which policies cannot tell from an event and readers ignore.
Where deleting is denied, that one object stays.

Examples:
  rynxs doctor
  rynxs doctor --probe-policy
  rynxs doctor --store s3://my-bucket/events --endpoint http://localhost:9000

With --json: {"ok","checks":[{"name","ok","status"?,"detail","hint"?}]}; "status" is
of advice: "ok", "advice", "unsupported" or "denied". Exit 1 when a check fails.
`;

export const FSCK: string = `
Lists all that stands under the log's prefix, or beside its file, and does not belong:
strangers, names that are nearly events, probes and temporary files that were left,
segments and index files that are of no use, other logs. And what is missing: gaps in
the events, a head or a segment that reaches beyond them. It reads names and sizes, the
head, and the end of events before a gap; whether events are good is what verify says.

Evidence (exit 2) is what no program of the log's own leads to. All else is a warning
(exit 0, or 2 with --strict).

--versions looks at all versions of event objects in a versioned bucket: delete markers,
and versions on top of the first one, which under If-None-Match is what was committed.
rynxs verify --oldest-versions reads the log by those. --retain asks for the retention
of each event object: a request each.

Examples:
  rynxs fsck
  rynxs fsck --versions --retain 7y
  rynxs fsck --store file:my.log --strict

With --json a line for each finding, {"finding":{"code","level","key","seq"?,"to_seq"?,
"count"?,"versions"?:[{"version_id","delete_marker","size","etag","modified_at"}],
"message","hint"?}}, then {"ok","objects","bytes","events","versions"?,"pruned"?,
"retained"?,"evidence","warnings"}.
`;

export const HOLD: string = `
A legal hold keeps a version of an object from being deleted by anybody until it is
lifted, whatever its retention. on and off set and lift it for all versions of the
event objects that hold the range (default: all), and of segments where there are no
event objects any more; only with --yes. Run it again at any time: it does the same.
show says how each is locked, with its retention; neighbours alike on one line.
New events are not held: hold them again. Needs a bucket with Object Lock.

Examples:
  rynxs hold on --from 1000 --to 1999 --yes
  rynxs hold show
  rynxs hold off --yes

With --json: on and off {"events","segments","versions","hold","applied"}; show a line
for each run, {"range":{"kind","first","last","versions","current","hold","mode",
"retained_until"?}}, then {"versions","held","unretained"}.
`;

export const POLICY: string = `
Prints, ready to paste: the least IAM policy of a role (--format iam), the bucket
policy that lets nobody overwrite or delete events (--format bucket), and what else
to set up (--format advice). Of a store that answers, it also says what is in force.

Roles: reader (reads, verifies), writer (appends; positions, snapshots, imports),
operator (appends only), compactor (compact, prune), admin (all of it, and doctor).

The bucket policy denies puts without If-None-Match on event keys and segments, but
not on _head.json and what else is replaced; deleting events, but for --principal; and
requests without TLS. For a server other than AWS (--endpoint) it says only who may
delete: Ceph's gateway, for one, would refuse every append under the other statement.

Examples:
  rynxs policy --store s3://my-bucket/events --principal arn:aws:iam::123456789012:role/compactor
  rynxs policy --bucket my-bucket --prefix events --format bucket > policy.json
  rynxs policy --bucket my-bucket --for operator --format iam --account 123456789012

With --json: {"bucket","prefix","server","role"?,"iam"?,"bucket_policy"?,
"advice"?:[{"topic","text"}],"checks"?:[…]}, checks as of rynxs doctor.
`;

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

export const SHRED: string = `
Destroys all keys of SUBJECT, for good: payloads that were encrypted for it can be read
by nobody any more. The log keeps every byte, and verifies as before. Then an event
SubjectShredded is appended, which says when, how many keys, and --reason. If it fails in
between, run it again: it records what was destroyed, once. Says what it would do, and
does it only with --yes. It needs no key-encryption key.

With RYNXS_CRYPTO_PSEUDONYM_KEY set, SUBJECT is the real name, and its pseudonym is
looked for. Backups of the keys, and old versions in a versioned bucket, are yours to
delete: docs/operations/shredding.md.

Examples:
  rynxs shred customer-7 --keys file:/etc/rynxs/keys --count
  rynxs shred customer-7 --keys s3://my-keys/events --reason "ticket 1234" --yes

Exit status: 0 destroyed and recorded, or shown; 1 there are no such keys, or it failed.
With --json: {"subject","destroyed","destroyed_at"?,"key_versions","events"?,"remains"?},
and with --yes {"subject","destroyed","destroyed_at","key_versions","repeated","seq",
"recorded","remains"?}.
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

export const WITNESS: string = `
A witness cosigns a log's checkpoint only when that goes on from the last one that it
cosigned: who checks for cosignatures cannot be shown a log that was rewritten, or
another one than others see. Run it where the log's operator has no say.

It speaks C2SP tlog-witness: POST /add-checkpoint, and GET /HASH/checkpoint, HASH being
SHA-256 of the log's origin. FILE of --logs has a verifier key a line (log VKEY, as in
tlog-policy, is fine too); several of one name are one log's. The key file must be
nobody else's to read. The state is what it must never lose: keep it on a disk that
lasts, and never put an older copy back.

It listens on this machine only, unless --listen says otherwise, and in plain HTTP: let
a server before it speak HTTPS. Ctrl-C or SIGTERM ends it when what is under way is
answered (exit 0).

Examples:
  rynxs witness --generate-key witness.example/w1 --key witness.key
  rynxs witness --logs logs.txt --key witness.key --state /var/lib/witness
  rynxs witness --logs logs.txt --key witness.key --state state --listen 0.0.0.0:8080 --json

With --json a line for each thing that happens: {"event":"listening","url","key",
"logs"}, {"event":"answer","time","method","status","origin"?,"size"?,"not_shown"?};
--generate-key: {"file","key"}.
`;

export const AUDIT: string = `
Looks at every record of the range, at what was signed of the log, and at who wrote
it, and says all of it in one report. Unlike verify it goes on behind a fault, as far as
that can be done, so that it tells which records are good, changed or missing.

With --key the log's checkpoint must be signed, and the records must have the root that
was signed. --checkpoint FILE is one that you kept: a log that was cut off or rewritten
since then shows. --witness-key and --quorum ask for cosignatures (rynxs witness).
--expect-head is for logs that nobody signs.

The verdicts: valid (exit 0); not_witnessed; head_older_than_expected: what is there is
whole, but there was more; invalid (exit 2, all three).

html is one page that needs nothing else, and prints well.

Examples:
  rynxs audit
  rynxs audit --format html --output audit.html --key log.vkey
  rynxs audit --key log.vkey --checkpoint kept.txt --witness-key w1.vkey --witness-key w2.vkey --quorum 1
  rynxs audit --from 100000 --to 199999 --format md

With --json (or --format json): {"verdict","exit_code","findings":[{"code","verdict",
"message","seq"?,"expected"?,"actual"?}],"location","audited_at","range","records",
"chain","expected_head","checkpoints","writers","leaders","types","aggregates" …};
with --output and --json: {"verdict","file","bytes","sha256"}.
`;
