import { readFile } from "node:fs/promises";
import type { WitnessAnswered, WitnessServer } from "@rynxs/event-store/trust";
import type { Context } from "../context.js";
import { CliError, describe, usageError } from "../exit.js";
import type { Output } from "../output.js";
import { count, oneLine } from "../text.js";

export interface WitnessFlags {
  readonly logs?: string;
  readonly key?: string;
  readonly state?: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly generateKey?: string;
  readonly maxConnections: number;
}

export async function witness(flags: WitnessFlags, context: Context): Promise<void> {
  if (flags.generateKey !== undefined) await generate(flags.generateKey, flags, context.output);
  else await serve(flags, context);
}

async function generate(name: string, { key: file }: WitnessFlags, output: Output): Promise<void> {
  if (file === undefined) throw usageError("say where to put the key", "add --key FILE");
  const { createPrivateKeyFile, formatVerifierKey, generatePrivateKey, signerOf } =
    await import("@rynxs/event-store/trust");
  const key = generatePrivateKey(name, "cosignature/v1");
  await createPrivateKeyFile(file, key);
  const vkey = formatVerifierKey(signerOf(key, Date.now).key);
  await output.result(vkey, { file, key: vkey });
}

async function serve(flags: WitnessFlags, { output, interrupts }: Context): Promise<void> {
  const { logs: list, key: keyFile, state: directory, listen } = flags;
  if (list === undefined || keyFile === undefined || directory === undefined)
    throw usageError("a witness needs --logs FILE, --key FILE and --state DIR", "see rynxs witness --help");
  const trust = await import("@rynxs/event-store/trust");
  const logs = trust.parseLogList(await textOf(list));
  const signer = trust.signerOf(await trust.readPrivateKey(keyFile), Date.now);
  const state = await trust.openWitnessDirectory(directory);
  try {
    const served = new trust.Witness({ logs, signer, state, now: Date.now });
    const onAnswer = answerLog(output);
    const server = await trust.serveWitness(served, { ...listen, maxConnections: flags.maxConnections, onAnswer });
    await announce(server, trust.formatVerifierKey(served.key), served.origins, output);
    await aborted(interrupts.stop);
    await server.close(interrupts.abort);
  } finally {
    await state.close();
  }
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new CliError("PATH_UNUSABLE", `the logs cannot be read: ${cause instanceof Error ? cause.message : file}`, {
      facts: { file },
      cause,
    });
  }
}

async function announce(
  { host, port }: WitnessServer,
  key: string,
  origins: readonly string[],
  output: Output,
): Promise<void> {
  const url = `http://${host.includes(":") ? `[${host}]` : host}:${String(port)}`;
  const text = `witness ${key}\n${count(origins.length, "log")}, at ${url}/add-checkpoint`;
  await output.result(text, { event: "listening", url, key, logs: origins });
  if (!/^127\.|^::1$/.test(host))
    output.note(`${host} can be reached from elsewhere, without TLS: put a server before it that speaks HTTPS`);
}

/** Lines a second, of what strangers can have written at will. */
const MAX_REFUSALS_LOGGED = 20;

/** One line an answer. Those about no known log are left out where there are too many, and counted. */
export function answerLog(
  output: Pick<Output, "result" | "note">,
  now: () => number = Date.now,
): (answered: WitnessAnswered) => void {
  let second = 0;
  let refusals = 0;
  let unsaid = 0;
  return ({ method, status, origin, size, error }) => {
    const at = now();
    if (Math.floor(at / 1000) !== second) [second, refusals] = [Math.floor(at / 1000), 0];
    if (status !== 200 && ++refusals > MAX_REFUSALS_LOGGED) {
      unsaid++;
      return;
    }
    const time = new Date(at).toISOString();
    const tree = `${origin === undefined ? "" : ` ${oneLine(origin)}`}${size === undefined ? "" : ` ${String(size)}`}`;
    const left = unsaid === 0 ? "" : ` (${count(unsaid, "refusal")} before it not shown)`;
    const facts = { event: "answer", time, method, status, origin, size, ...(unsaid > 0 && { not_shown: unsaid }) };
    unsaid = 0;
    void output.result(`${time} ${String(status)} ${method}${tree}${left}`, facts);
    if (error !== undefined) output.note(`error: ${oneLine(describe(error).message)}`);
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => {
      resolve();
    });
  });
}
