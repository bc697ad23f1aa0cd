import { CommanderError } from "commander";
import type { Context } from "./context.js";
import type { Failure } from "./exit.js";
import { CliError, describe, EXIT, usageError } from "./exit.js";
import { listenForInterrupts } from "./interrupts.js";
import { Output } from "./output.js";
import { buildProgram } from "./program.js";

const args = process.argv.slice(2);
const output = new Output(args.includes("--json"));
let exitCode: number = EXIT.ok;

async function run(work: (context: Context) => Promise<number> | Promise<void>): Promise<void> {
  const interrupts = listenForInterrupts();
  try {
    exitCode = (await work({ output, interrupts })) ?? EXIT.ok;
  } catch (error) {
    const aborted = interrupts.stop.aborted && describe(error).code === "ABORTED";
    throw aborted ? new CliError("INTERRUPTED", "stopped by a signal", { cause: error }) : error;
  }
  await output.flush();
}

const program = buildProgram(run);
for (const command of [program, ...program.commands]) {
  // usage errors are printed below, as all others are
  command.exitOverride().configureOutput({ outputError: () => undefined });
}
try {
  await program.parseAsync(args, { from: "user" });
} catch (error) {
  const named = program.commands.find((command) => command.name() === args[0]);
  if (!(error instanceof CommanderError)) await fail(describe(error), error);
  else if (error.exitCode !== 0) await usage(error, named === undefined ? "rynxs" : `rynxs ${named.name()}`);
}
process.exit(exitCode);

async function fail(failure: Failure, error: unknown): Promise<void> {
  exitCode = failure.exitCode;
  await output.failure(failure);
  // standard output may be what failed; its end is not to hide what came before
  await output.flush().catch(() => undefined);
  if (process.env["RYNXS_DEBUG"]) console.error(error);
}

/** Commander's message: `error: …`, with a suggestion on a second line. */
async function usage(error: CommanderError, command: string): Promise<void> {
  // `rynxs` alone: the help that was printed says it all
  if (error.code === "commander.help") {
    exitCode = EXIT.failed;
    return;
  }
  const [message = "", suggestion] = error.message.replace(/^error: /, "").split("\n");
  const asked = /^\(Did you mean (.*)\?\)$/.exec(suggestion ?? "")?.[1];
  await fail(
    describe(usageError(message, asked === undefined ? `see ${command} --help` : `did you mean ${asked}?`)),
    error,
  );
}
