// Help of the commands for auditors, and for whose data it is.

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
