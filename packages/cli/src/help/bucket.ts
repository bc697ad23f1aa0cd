// Help of the commands that look at a store and protect it.

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
