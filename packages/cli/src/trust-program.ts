import { Argument, Option, type Command } from "commander";
import type { AuditFlags } from "./commands/audit.js";
import type { CheckpointFlags } from "./commands/checkpoint.js";
import type { KeyAction } from "./commands/key.js";
import type { ProveFlags } from "./commands/prove.js";
import type { VerifyTrustFlags } from "./commands/verify-trust.js";
import type { WitnessFlags } from "./commands/witness.js";
import type { Context } from "./context.js";
import * as help from "./help/index.js";
import { parseCount, parseHead, parseListen, parseSeconds, parseSeq } from "./options.js";
import type { SigningFlags, TrustFlags } from "./trust-keys.js";

type Run = (work: (context: Context) => Promise<number> | Promise<void>) => Promise<void>;
type Define = (program: Command, name: string, summary: string, more: string) => Command;

/** The commands that sign a log, prove things of it, witness and audit it. `define`: of a command on one store; `command`: of any. */
export function addTrustCommands(program: Command, run: Run, define: Define, command: Define): void {
  signing(define(program, "key", "make the key that signs a log's checkpoints, or show it", help.KEY))
    .addArgument(new Argument("<action>", "what to do").choices(["generate", "show"]))
    .action((action: KeyAction, flags: SigningFlags) =>
      run(async (context) => (await import("./commands/key.js")).key(action, flags, context)),
    );

  signing(define(program, "checkpoint", "sign what the log holds", help.CHECKPOINT))
    .option("--every <n>", "a checkpoint at every multiple of so many events", parseCount(Number.MAX_SAFE_INTEGER))
    .option("--watch", "keep at it until Ctrl-C")
    .option("--interval <seconds>", "with --watch: how often to look", parseSeconds, 10)
    .option("--rebuild", "make all tiles anew from the log")
    .option("--state-dir <folder>", "where the signer remembers what it signed (default: ~/.local/state/rynxs)")
    .option("--trusted-key <key>", "a key that may have signed before; may be given several times", collect)
    .option("--witness <url=key>", "a witness that is to cosign; may be given several times", collect)
    .option("--quorum <k>", "so many witnesses must cosign, else nothing is stored", parseSeq)
    .option("--fail-open", "store it, and say so, when too few can be reached")
    .action((flags: CheckpointFlags) =>
      run(async (context) => (await import("./commands/checkpoint.js")).checkpoint(flags, context)),
    );

  define(program, "prove", "print a proof that an event is in the signed log", help.PROVE)
    .argument("[seq]", "of the event", parseSeq)
    .option("--consistency <size...>", "instead: that the second of two checkpoints goes on from the first", sizes)
    .option("--checkpoint <file>", "prove it against this one (default: the log's latest)")
    .option("--output <file>", "default: standard output")
    .action((seq: number | undefined, flags: ProveFlags) =>
      run(async (context) => (await import("./commands/prove.js")).prove(seq, flags, context)),
    );

  trusting(command(program, "verify-proof", "verify a proof, without a log and without a network", help.VERIFY_PROOF))
    .argument("<file>", "that rynxs prove wrote; - is standard input")
    .option("--json", "print JSON")
    .action((file: string, flags: TrustFlags) =>
      run(async (context) => (await import("./commands/verify-proof.js")).verifyProofFile(file, flags, context)),
    );

  define(program, "audit", "report on a log for an auditor; exit 2 when something is wrong", help.AUDIT)
    .option("--from <seq>", "first seq", parseSeq)
    .option("--to <seq>", "last seq", parseSeq)
    .option("--expect-head <seq:hash>", "a head known from before: the log must still hold it", parseHead)
    .option("--key <vkey|file>", "verifier key of the log; may be given several times", collect)
    .option("--origin <name>", "of the log (default: the name of the first key)")
    .option("--checkpoint <file>", "a signed checkpoint that was kept: the log must go on from it")
    .option("--witness-key <vkey|file>", "verifier key of a witness; may be given several times", collect)
    .option("--quorum <n>", "so many witnesses must have cosigned (default: all)", parseCount(1000))
    .addOption(
      new Option("--format <name>", "default: as the output's name says, else text").choices([
        "text",
        "md",
        "json",
        "html",
      ]),
    )
    .option("--output <file>", "a file (default: standard output)")
    .action((flags: AuditFlags) => run(async (context) => (await import("./commands/audit.js")).audit(flags, context)));

  command(program, "witness", "cosign the checkpoints of logs, as a witness of C2SP tlog-witness", help.WITNESS)
    .option("--logs <file>", "verifier keys of the logs, one a line")
    .option("--key <file>", "private key of the witness")
    .option("--state <dir>", "where it remembers what it has cosigned")
    .addOption(
      new Option("--listen <host:port>", "where it is asked")
        .argParser(parseListen)
        .default({ host: "127.0.0.1", port: 8080 }, "127.0.0.1:8080"),
    )
    .option("--max-connections <n>", "so many at once", parseCount(100_000), 256)
    .option("--generate-key <name>", "make a key of this name in --key FILE, print its verifier key, and end")
    .option("--json", "print JSON")
    .action((flags: WitnessFlags) =>
      run(async (context) => (await import("./commands/witness.js")).witness(flags, context)),
    );
}

/** The options of `verify` that make it trust a key and nothing else. */
export function addTrustToVerify(verify: Command): Command {
  return trusting(verify, ["from", "anchor", "pointers"])
    .option("--checkpoint <file>", "with --key: hold the log against this one (default: the one stored with it)")
    .option("--from-checkpoint <file>", "with --key: one that you kept: the log must go on from it")
    .option("--state <file>", "with --key: what to remember of the log (default: in ~/.local/state/rynxs)")
    .option("--no-state", "with --key: remember nothing")
    .addOption(
      new Option(
        "--since <where>",
        "with --key: begin with the first event (default), or behind what was verified before",
      ).choices(["state", "start"]),
    );
}

/** Whether `verify` is to trust a key: also when it was forgotten. */
export function needsKey({
  key,
  origin,
  witnessKey,
  quorum,
  checkpoint,
  fromCheckpoint,
  state,
  since,
}: VerifyTrustFlags): boolean {
  return [key, origin, witnessKey, quorum, checkpoint, fromCheckpoint, state, since].some((flag) => flag !== undefined);
}

function trusting(command: Command, conflicts: string[] = []): Command {
  return command
    .addOption(
      new Option("--key <key>", "the log's verifier key, or @FILE; may be given several times")
        .argParser(collect)
        .conflicts(conflicts),
    )
    .option("--origin <name>", "the log's name (default: the first key's)")
    .option("--witness-key <key>", "of a witness; may be given several times", collect)
    .option("--quorum <n>", "so many of the witnesses must have signed", parseCount(64));
}

function signing(command: Command): Command {
  return command
    .option("--origin <name>", "the log's name (default: rynxs.s3/BUCKET/PREFIX)")
    .option("--signing-key <file>", "of mode 0600; may be given several times", collect)
    .option("--signer-command <command>", "signs standard input, and prints the signature line")
    .option("--signer-key <key>", "with --signer-command: the verifier key of what it signs with");
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function sizes(text: string, before: readonly number[] = []): readonly number[] {
  return [...before, parseSeq(text)];
}
