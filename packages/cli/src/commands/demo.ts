import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EventStore, Head, NewEvent } from "@rynxs/event-store";
import { openEventStore } from "@rynxs/event-store";
import type { Context } from "../context.js";
import { CliError, describe, failureText } from "../exit.js";
import { EventTable } from "../event-table.js";
import { showHead, withStore } from "../options.js";
import type { Output } from "../output.js";
import { paint } from "../output.js";
import { count, seqRange } from "../text.js";

const EVENTS: readonly NewEvent[] = [
  { type: "AccountOpened", aggregateId: "account-17", payload: { owner: "Zoë Martin", currency: "EUR" } },
  { type: "RoleGranted", aggregateId: "user-4", payload: { role: "approver", by: "user-1" } },
  { type: "PaymentRequested", aggregateId: "account-17", payload: { invoice: "2025-014", amount: 1200 } },
  { type: "PaymentApproved", aggregateId: "account-17", payload: { invoice: "2025-014", amount: 1200, by: "user-4" } },
  { type: "PaymentSent", aggregateId: "account-17", payload: { invoice: "2025-014", amount: 1200 } },
  { type: "RoleRevoked", aggregateId: "user-4", payload: { role: "approver", by: "user-1" } },
];

/** The record that the demo forges: the approval. */
const FORGED_SEQ = 3;

/** Writes into a new temporary directory only, and leaves it there to be looked at. */
export async function demo({ output }: Context): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "rynxs-demo-"));
  const path = join(folder, "events.log");
  await output.line(paint("bold", "A log that shows when somebody has changed it"));

  await step(output, 1, `Append ${count(EVENTS.length, "event")} to a file`, path);
  await withStore(openLog(path), async (store) => {
    for (const event of EVENTS) await store.append(event);
  });

  await step(
    output,
    2,
    "Read them back, verifying each",
    "every record carries the hash of the one before it and its own",
  );
  const head = await withStore(openLog(path), async (store) => {
    await printLog(store, output);
    return await printVerdict(store, output);
  });

  const forged = join(folder, "forged.log");
  await forge(path, forged);
  await step(output, 3, `Forge one digit in a copy: the approval at seq ${String(FORGED_SEQ)} now says 9200`, forged);
  await withStore(openLog(forged), (store) => printVerdict(store, output));

  const cut = join(folder, "cut.log");
  await truncate(path, cut);
  await step(output, 4, "Cut the last two events off another copy", cut);
  await output.line("   What is left is a good chain; only who knows the head from step 2 can tell:");
  await withStore(openLog(cut), (store) => printVerdict(store, output, head));

  await output.line("");
  await output.line(paint("bold", "Try it yourself"));
  for (const command of nextCommands(path, forged, cut, head)) await output.line(`   ${command}`);
}

async function openLog(path: string): Promise<EventStore> {
  return await openEventStore({}, { store: `file:${path}` });
}

async function step(output: Output, number: number, title: string, detail: string): Promise<void> {
  await output.line("");
  await output.line(paint("bold", `${String(number)}. ${title}`));
  await output.line(`   ${detail}`);
}

async function printLog(store: EventStore, output: Output): Promise<void> {
  const table = new EventTable(output.columns);
  await output.line(table.heading());
  for await (const event of store.read()) await output.line(table.row(event));
}

async function printVerdict(store: EventStore, output: Output, expectedHead?: Head): Promise<Head> {
  const { events, head, error } = await store.verify({ expectedHead });
  if (error === undefined) {
    const verdict = `valid: ${count(events, "event")}, ${seqRange(0, head.seq)}`;
    await output.line(`   ${paint("green", verdict)}\n   head ${showHead(head)}`);
  } else {
    const { seq, expected, actual } = error;
    const text = failureText({ ...describe(error), facts: { seq, expected, actual }, hint: undefined });
    await output.line(`   ${paint("red", text.replaceAll("\n", "\n   "))}`);
  }
  return head;
}

async function forge(from: string, to: string): Promise<void> {
  const lines = (await readFile(from, "utf8")).split("\n");
  const line = lines[FORGED_SEQ];
  const changed = line?.replace('"amount":1200', '"amount":9200');
  if (changed === undefined || changed === line) throw new CliError("INTERNAL", "the demo found nothing to forge");
  await writeFile(to, lines.with(FORGED_SEQ, changed).join("\n"));
}

async function truncate(from: string, to: string): Promise<void> {
  const lines = (await readFile(from, "utf8")).split("\n").slice(0, EVENTS.length - 2);
  await writeFile(to, `${lines.join("\n")}\n`);
}

function nextCommands(path: string, forged: string, cut: string, head: Head): string[] {
  const rynxs = process.env["npm_execpath"] === undefined ? "rynxs" : "npx rynxs";
  return [
    `${rynxs} read --store file:${path}`,
    `${rynxs} append --store file:${path} --type NoteAdded --aggregate account-17 --payload '{"text":"hello"}'`,
    `${rynxs} verify --store file:${forged}`,
    `${rynxs} verify --store file:${cut} --expect-head ${showHead(head)}`,
    `${rynxs} --help`,
  ];
}
