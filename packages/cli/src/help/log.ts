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
