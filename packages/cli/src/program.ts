import { Argument, Command, Option } from "commander";
import type { AggregatesFlags } from "./commands/aggregates.js";
import type { AppendFlags } from "./commands/append.js";
import type { CompactFlags } from "./commands/compact.js";
import type { CopyFlags } from "./commands/copy.js";
import type { DoctorFlags } from "./commands/doctor.js";
import type { ExportFlags } from "./commands/export.js";
import type { FsckFlags } from "./commands/fsck.js";
import type { HeadFlags } from "./commands/head.js";
import type { HoldAction, HoldFlags } from "./commands/hold.js";
import type { LifecycleAction, LifecycleFlags } from "./commands/lifecycle.js";
import type { PolicyFlags } from "./commands/policy.js";
import type { PruneFlags } from "./commands/prune.js";
import type { ImportFlags } from "./commands/import.js";
import type { QueryFlags } from "./commands/query.js";
import type { ReadFlags } from "./commands/read.js";
import type { RestoreFlags } from "./commands/restore.js";
import type { ReplayFlags } from "./commands/replay.js";
import type { ShredFlags } from "./commands/shred.js";
import type { SnapshotFlags } from "./commands/snapshot.js";
import type { VerifyTrustFlags } from "./commands/verify-trust.js";
import type { Context } from "./context.js";
import * as help from "./help/index.js";
import {
  addRetainOptions,
  addStoreOptions,
  parseCount,
  parseHash,
  parseHead,
  parseHours,
  parseRetainMode,
  parseSeconds,
  parseSeq,
  parseTimestamp,
  parseVersion,
} from "./options.js";
import { addTrustCommands, addTrustToVerify, needsKey } from "./trust-program.js";
import { version } from "./version.js";

/** A part is read and written as one; more rows than that are no help to anybody. */
const MAX_ROWS_PER_FILE = 100_000_000;

const KEY_PLACES = "file:DIR, s3://BUCKET/PREFIX or command:PROGRAM";

/** The whole surface: names, options, help. What a command does is loaded when it runs. */
export function buildProgram(
  run: (work: (context: Context) => Promise<number> | Promise<void>) => Promise<void>,
): Command {
  const program = new Command("rynxs")
    .description("A tamper-evident event log in a local file or an S3 bucket")
    .version(version(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand("help [command]", "print help for a command")
    .showSuggestionAfterError(true)
    .configureHelp({ sortSubcommands: false, subcommandTerm: (command) => command.name() })
    .addHelpText("after", help.TOP);

  writes(program, "append", "append one event, or many from standard input", help.APPEND)
    .option("--type <type>", "of the event, as OrderPlaced")
    .option("--aggregate <id>", "what it is about, as order-1")
    .option("--payload <json>", "a JSON object, or @FILE")
    .option("--meta <json>", "a JSON object, or @FILE")
    .option("--ts <integer>", "timestamp; its unit is yours", parseTimestamp)
    .option("--expect-prev <hash>", "append only if this is the log's last event_hash", parseHash)
    .option("--expect-version <n>", "append only if the aggregate has so many events", parseVersion)
    .addOption(
      new Option("--stdin", "append the NDJSON events of standard input").conflicts([
        "type",
        "aggregate",
        "payload",
        "meta",
        "ts",
        "expectVersion",
      ]),
    )
    .option("--batch <n>", "with --stdin: so many events in one atomic write (1 to 1000)", parseCount(1000))
    .action((flags: AppendFlags) =>
      run(async (context) => (await import("./commands/append.js")).append(flags, context)),
    );

  define(program, "read", "print events, verified as they are read", help.READ)
    .option("--from <seq>", "first seq", parseSeq)
    .option("--to <seq>", "last seq", parseSeq)
    .option("--aggregate <id>", "only this aggregate's")
    .option("--type <type>", "only of this type")
    .option("--limit <n>", "at most so many", parseCount(Number.MAX_SAFE_INTEGER))
    .option("--follow", "go on with new events until Ctrl-C")
    .option("--interval <seconds>", "with --follow: how often to look", parseSeconds, 1)
    .addOption(
      new Option("--position <name>", "with --follow: remember what was printed, and go on behind it").conflicts(
        "anchor",
      ),
    )
    .addOption(
      new Option("--verify <what>", "with --aggregate or --type: each record alone, or the whole chain")
        .choices(["record", "chain"])
        .default("record"),
    )
    .addOption(anchorOption())
    .option("--keys <location>", `decrypt payloads with the keys in ${KEY_PLACES}`)
    .action((flags: ReadFlags) => run(async (context) => (await import("./commands/read.js")).read(flags, context)));

  define(program, "aggregates", "list the aggregates, with how many events each has", help.AGGREGATES)
    .option("--after <id>", "only ids behind this one")
    .option("--prefix <text>", "only ids that begin so")
    .option("--limit <n>", "at most so many", parseCount(Number.MAX_SAFE_INTEGER))
    .action((flags: AggregatesFlags) =>
      run(async (context) => (await import("./commands/aggregates.js")).aggregates(flags, context)),
    );

  addTrustToVerify(
    define(program, "verify", "check every record; exit 2 when something is wrong", help.VERIFY + help.VERIFY_KEY),
  )
    .option("--from <seq>", "begin here", parseSeq)
    .option("--expect-head <seq:hash>", "a head known from before: the log must still hold it", parseHead)
    .option("--segments", "take compacted segments where they are, as reads do: faster on a long bucket log")
    .option("--oldest-versions", "of a versioned bucket: what was first written under each event's key")
    .option("--pointers", "also check the links of events to those that caused them")
    .option("-j, --jobs <n>", "threads for a long file (1 to 64; default: the processors, at most 8)", parseCount(64))
    .addOption(anchorOption())
    .action((flags: VerifyTrustFlags) =>
      run(async (context) =>
        needsKey(flags)
          ? (await import("./commands/verify-trust.js")).verifyWithKey(flags, context)
          : (await import("./commands/verify.js")).verify(flags, context),
      ),
    );

  define(program, "head", "print the last record's seq and hash", help.HEAD)
    .option("--reset", "accept that the stored head contradicts the log")
    .action((flags: HeadFlags) => run(async (context) => (await import("./commands/head.js")).head(flags, context)));

  addTrustCommands(program, run, define, command);

  define(program, "replay", "print the state that a projection comes to", help.REPLAY)
    .requiredOption("--projection <file>", "an ES module that exports it")
    .option("--to <seq>", "last seq to apply", parseSeq)
    .option("--twice", "run it twice and compare the states")
    .option("--no-snapshot", "begin with the log, whatever snapshots there are")
    .action((flags: ReplayFlags) =>
      run(async (context) => (await import("./commands/replay.js")).replay(flags, context)),
    );

  define(program, "snapshot", "write a projection's state down, to begin with next time", help.SNAPSHOT)
    .requiredOption("--projection <file>", "an ES module that exports it")
    .option(
      "--every <n>",
      "on the way, after every so many events (default: 100000)",
      parseCount(Number.MAX_SAFE_INTEGER),
    )
    .option("--keep <n>", "so many of the newest stay (default: 5)", parseCount(Number.MAX_SAFE_INTEGER))
    .addOption(new Option("--list", "list them, of all versions").conflicts("delete"))
    .option("--delete", "delete them, of all versions")
    .action((flags: SnapshotFlags) =>
      run(async (context) => (await import("./commands/snapshot.js")).snapshot(flags, context)),
    );

  define(program, "doctor", "check whether the store is safe to use, and protected", help.DOCTOR)
    .option("--probe-policy", "also try the bucket's policy, on a key that looks like an event's and is none")
    .action((flags: DoctorFlags) =>
      run(async (context) => (await import("./commands/doctor.js")).doctor(flags, context)),
    );

  define(program, "fsck", "list what does not belong to the log, and what is missing", help.FSCK)
    .option("--versions", "also look at the versions of event objects: delete markers, replaced events")
    .option("--retain <period>", "also ask whether each event object is kept so long, as 30d, 12mo or 7y")
    .option(
      "--retain-mode <mode>",
      "with --retain: COMPLIANCE is not content with GOVERNANCE, the default",
      parseRetainMode,
    )
    .option("--strict", "exit 2 at a warning too")
    .action((flags: FsckFlags) => run(async (context) => (await import("./commands/fsck.js")).fsck(flags, context)));

  define(program, "hold", "set, lift or show the legal hold of event objects", help.HOLD)
    .addArgument(new Argument("<action>", "what to do").choices(["on", "off", "show"]))
    .option("--from <seq>", "first seq", parseSeq)
    .option("--to <seq>", "last seq", parseSeq)
    .option("--yes", "do it; else only say what would change")
    .action((action: HoldAction, flags: HoldFlags) =>
      run(async (context) => (await import("./commands/hold.js")).hold(action, flags, context)),
    );

  define(program, "policy", "print the policies that protect a log's bucket", help.POLICY)
    .addOption(new Option("--bucket <name>", "instead of --store: nothing is asked of the server").conflicts("store"))
    .option("--prefix <prefix>", "with --bucket: of the log (default: events)")
    .addOption(
      new Option("--for <role>", "whose rights the IAM policy gives")
        .choices(["writer", "reader", "operator", "compactor", "admin"])
        .default("writer"),
    )
    .addOption(
      new Option("--format <what>", "what to print").choices(["iam", "bucket", "advice", "all"]).default("all"),
    )
    .option("--account <id>", "the bucket's AWS account: rights hold for no other's")
    .option("--principal <arn>", "who may delete events and segments; may be given several times", collect)
    .option("--object-lock", "with the rights for --retain, hold and versions (default: if RYNXS_S3_RETAIN is set)")
    .option("--aws-conditions", "for a server other than AWS that knows AWS's condition keys")
    .action((flags: PolicyFlags) =>
      run(async (context) => (await import("./commands/policy.js")).policy(flags, context)),
    );

  define(program, "compact", "make compressed segments of long runs of events", help.COMPACT)
    .option("--check", "read every segment, and make those anew that are damaged")
    .option("--no-index", "segments only, no index by aggregate and type")
    .option("--watch", "keep at it until Ctrl-C")
    .option("--interval <seconds>", "with --watch: how often to look", parseSeconds, 60)
    .action((flags: CompactFlags) =>
      run(async (context) => (await import("./commands/compact.js")).compact(flags, context)),
    );

  define(program, "prune", "delete event objects that segments hold", help.PRUNE)
    .option("--yes", "delete; without it, only say what would be deleted")
    .option("--older-than <hours>", "only objects that are at least so old (24 or more)", parseHours, 24)
    .action((flags: PruneFlags) => run(async (context) => (await import("./commands/prune.js")).prune(flags, context)));

  define(program, "shred", "destroy the keys of a subject's data, and record it", help.SHRED)
    .argument("<subject>", "whose data it is")
    .option("--keys <location>", `${KEY_PLACES} (default: RYNXS_CRYPTO_KEYS)`)
    .option("--yes", "destroy; without it, only say what would be destroyed")
    .option("--reason <text>", "why; it stays in the log for ever, in the clear")
    .option("--count", "without --yes: also count the events, which reads the whole log")
    .option("--allow-versioned", "even where old versions of the keys remain")
    .action((subject: string, flags: ShredFlags) =>
      run(async (context) => (await import("./commands/shred.js")).shred(subject, flags, context)),
    );

  addRetainOptions(command(program, "copy", "copy a log to another place, verified, or go on doing so", help.COPY))
    .argument("<from>", "file:PATH or s3://BUCKET/PREFIX")
    .argument("<to>", "file:PATH or s3://BUCKET/PREFIX")
    .option("--endpoint <url>", "of both stores")
    .option("--region <name>", "of both stores")
    .option("--from-endpoint <url>", "of FROM")
    .option("--from-region <name>", "of FROM")
    .option("--to-endpoint <url>", "of TO")
    .option("--to-region <name>", "of TO")
    .option("--batch <n>", "records in one write (1 to 1000; default 1 on S3, 1000 for a file)", parseCount(1000))
    .option("--segments", "to a bucket: objects of 1000 events, compacted in the end")
    .option("--json", "print JSON")
    .action((from: string, to: string, flags: CopyFlags) =>
      run(async (context) => (await import("./commands/copy.js")).copy(from, to, flags, context)),
    );

  define(program, "lifecycle", "show or set the bucket's rules for the log's segments and snapshots", help.LIFECYCLE)
    .addArgument(new Argument("<action>", "what to do").choices(["show", "apply", "remove"]))
    .option("--class <name>", "with apply: storage class that segments move to")
    .option("--days <n>", "with --class: so many days after they were written", parseCount(36_500))
    .option("--expire-snapshots <days>", "with apply: delete snapshots this old", parseCount(36_500))
    .option("--yes", "do it; else only say what would change")
    .action((action: LifecycleAction, flags: LifecycleFlags) =>
      run(async (context) => (await import("./commands/lifecycle.js")).lifecycle(action, flags, context)),
    );

  define(program, "restore", "have archived segments restored, so that they can be read", help.RESTORE)
    .option("--from <seq>", "first seq", parseSeq)
    .option("--to <seq>", "last seq", parseSeq)
    .option("--days <n>", "how long the copies are kept", parseCount(3650), 7)
    .addOption(new Option("--tier <tier>", "how fast").choices(["Standard", "Bulk", "Expedited"]).default("Standard"))
    .option("--wait", "until all can be read")
    .option("--interval <seconds>", "with --wait: how often to look", parseSeconds, 60)
    .action((flags: RestoreFlags) =>
      run(async (context) => (await import("./commands/restore.js")).restore(flags, context)),
    );

  define(program, "export", "write events as NDJSON, CSV or Parquet", help.EXPORT)
    .addOption(
      new Option("--format <name>", "default: as the output's name says, else ndjson").choices([
        "ndjson",
        "csv",
        "parquet",
      ]),
    )
    .option("--from <seq>", "first seq", parseSeq)
    .option("--to <seq>", "last seq", parseSeq)
    .option("--aggregate <id>", "only this aggregate's")
    .option("--type <type>", "only of this type")
    .option("--output <path>", "a file, or with a slash at its end a folder of part files (default: standard output)")
    .option(
      "--rows-per-file <n>",
      "into a folder: a part for each so many seqs (default 1000000)",
      parseCount(MAX_ROWS_PER_FILE),
    )
    .option("--partitioned", "into a folder: each part in a folder range=SEQ, for partition projection")
    .option("--full-parts", "into a folder: leave the end of the log until a part is full")
    .option("--raw", "ndjson: the stored records, byte for byte")
    .option("--guard-formulas", "csv: put an apostrophe before what a spreadsheet would run as a formula")
    .action((flags: ExportFlags) =>
      run(async (context) => (await import("./commands/export.js")).exportEvents(flags, context)),
    );

  define(program, "query", "ask the events in SQL (needs the package @duckdb/node-api)", help.QUERY)
    .argument("<sql>", "one statement over the table events; - or @FILE: from standard input or a file")
    .option("--from <seq>", "first seq", parseSeq)
    .option("--to <seq>", "last seq", parseSeq)
    .option("--aggregate <id>", "only this aggregate's")
    .option("--type <type>", "only of this type")
    .addOption(
      new Option("--format <name>", "default: table, or json with --json").choices(["table", "csv", "json", "ndjson"]),
    )
    .option("--files <dir>", "a folder that rynxs export --format parquet wrote, instead of a log")
    .action((sql: string, flags: QueryFlags) =>
      run(async (context) => (await import("./commands/query.js")).query(sql, flags, context)),
    );

  writes(program, "import", "append the events that another system exported, once each", help.IMPORT)
    .argument("<file>", "NDJSON; - is standard input")
    .addOption(new Option("--format <name>", "of the input").choices(["ndjson"]).default("ndjson"))
    .option(
      "--map <file>",
      "JSON that says how a line becomes an event (default: lines are events as rynxs exports them)",
    )
    .option("--name <name>", "under which the log remembers how far the import got (default: the file's name)")
    .option("--batch <n>", "events in one write (1 to 1000; default 1 on S3, 1000 for a file)", parseCount(1000))
    .option("--dry-run", "append nothing: show the first events and count all")
    .option("--show <n>", "with --dry-run: so many events (default 5)", parseCount(1_000_000))
    .action((file: string, flags: ImportFlags) =>
      run(async (context) => (await import("./commands/import.js")).importEvents(file, flags, context)),
    );

  command(program, "demo", "show it at work, in a temporary directory", "").action(() =>
    run(async (context) => (await import("./commands/demo.js")).demo(context)),
  );

  return program;
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function command(program: Command, name: string, summary: string, more: string): Command {
  return program
    .command(name)
    .summary(summary)
    .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`)
    .allowExcessArguments(false)
    .addHelpText("after", more);
}

/** A command on one store. */
function define(program: Command, name: string, summary: string, more: string): Command {
  return addStoreOptions(command(program, name, summary, more)).option("--json", "print JSON");
}

/** A command that writes events to one store. */
function writes(program: Command, name: string, summary: string, more: string): Command {
  return addRetainOptions(define(program, name, summary, more));
}

function anchorOption(): Option {
  return new Option("--anchor <seq:hash>", "the record before the first one to read")
    .argParser(parseHead)
    .conflicts("from");
}
