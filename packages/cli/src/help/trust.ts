/** The words of the help of the commands in trust-program.ts. */

const WHICH_KEY = `
Which key signs: --signing-key FILE (several while keys are rotated: all sign); or
--signer-command with --signer-key, for a key in a KMS or an HSM: the command gets
the text on standard input and prints the signature line; else RYNXS_SIGNING_KEY,
the key itself; else the file that \`rynxs key generate\` wrote for that log.`;

export const KEY: string = `
generate makes an Ed25519 key for the log, writes it to a file of mode 0600 (and never
over another), and prints the verifier key: the line that you publish, and that
whoever verifies the log gives as --key. show prints that line again.

The key has the log's name. A log in a bucket is rynxs.s3/BUCKET/PREFIX, so that a
copy in another place does not pass for it; a log in a file needs --origin.
${WHICH_KEY}

Examples:
  rynxs key generate --store s3://my-bucket/orders
  rynxs key generate --origin example.com/orders --signing-key orders.key
  rynxs key show --signing-key orders.key

With --json: generate {"key","origin","file"}, show {"keys":[{"key","origin"}]}.
`;

export const CHECKPOINT: string = `
Verifies what is new, writes the tiles of the log's Merkle tree (C2SP tlog-tiles) under
_tlog/, and signs its size and root. A signer never signs a log that does not go on
from what it signed before: exit 2 with ROLLED_BACK, FORKED or TREE_MISMATCH, and
nothing is signed. It remembers that in --state-dir: keep that folder.

--every N signs at each multiple of N, and at the end; with --watch at the multiples
alone. May be ended at any time, and run by several processes at once.
With --witness each checkpoint is shown to witnesses (C2SP tlog-witness), who cosign it
if it goes on from what they saw: --quorum says how many must, and without so many
nothing is stored (NOT_WITNESSED), or, with --fail-open, it is stored and said. What a
witness testifies against the log fails either way.
${WHICH_KEY}

Examples:
  rynxs checkpoint
  rynxs checkpoint --witness http://127.0.0.1:8080="$(cat witness.vkey)" --quorum 1
  rynxs checkpoint --watch --every 10000
  rynxs checkpoint --signer-command 'kms-sign --key 7' --signer-key "$(cat log.pub)"

With --json: {"signed","unsigned","checkpoint":{"origin","size","root","note"}};
with --watch one such checkpoint a line.
`;

export const PROVE: string = `
Prints a file (C2SP tlog-proof) that holds the event, its place in the log's Merkle
tree, and the signed checkpoint: whoever has the log's verifier key can verify it,
without the log. --consistency A B proves that the checkpoint of B events goes on
from that of A events; both must be stored.

Examples:
  rynxs prove 41 --output event-41.proof
  rynxs prove --consistency 1000 2000

With --json: {"proof"}, or with --output {"file","bytes"}.
`;

export const VERIFY_PROOF: string = `
Verifies a file that rynxs prove wrote, with keys alone: the event has its own hash,
stands in the tree at its seq, and the tree is signed. Exit 2 when not. Nothing is
read but the file.

Examples:
  rynxs verify-proof event-41.proof --key "$(cat log.pub)"
  rynxs verify-proof event-41.proof --key @log.pub --json

With --json: {"valid":true,"seq","checkpoint":{"origin","size","root","signed_by"},
"record"}, the record as it is stored; of a consistency proof
{"valid":true,"first","second"}, two checkpoints.
`;

/** What \`rynxs verify --help\` says of --key. */
export const VERIFY_KEY = `
--key trusts the log's verifier key and nothing else: beside the chain, the records
must have the root that was signed (TREE_MISMATCH), the checkpoint must be of this log
(ORIGIN_MISMATCH) and signed (SIGNATURE_INVALID), and it must go on from the newest
one that you have seen (ROLLED_BACK, FORKED), which is remembered in a state file of
yours. Everything is read; --since state reads only what is new since the last time.
  rynxs verify --key @log.pub
With --key and --json: {"valid","events","from","head","checkpoint","unsigned",
"remembered"}, or {"valid":false,"error":{"code",…}}.
`;
