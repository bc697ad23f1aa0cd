import { readFile, stat } from "node:fs/promises";
import type { Head } from "@rynxs/event-store";
import type { AuditReport } from "@rynxs/event-store/trust";
import { auditDocument } from "../audit/document.js";
import { auditHtml } from "../audit/html.js";
import { auditJson } from "../audit/json.js";
import { auditMarkdown } from "../audit/markdown.js";
import { auditText } from "../audit/text.js";
import type { Context } from "../context.js";
import { EXIT, usageError } from "../exit.js";
import { fileError, WholeFile } from "../export/whole-file.js";
import type { StoreFlags } from "../options.js";
import { openStore, withStore } from "../options.js";
import { startProgress } from "../progress.js";
import { verifierKeys } from "../trust-keys.js";
import { version } from "../version.js";

export type AuditFormat = "text" | "md" | "json" | "html";

export interface AuditFlags extends StoreFlags {
  readonly from?: number;
  readonly to?: number;
  readonly expectHead?: Head;
  readonly key?: readonly string[];
  readonly origin?: string;
  readonly checkpoint?: string;
  readonly witnessKey?: readonly string[];
  readonly quorum?: number;
  readonly format?: AuditFormat;
  readonly output?: string;
}

/** @returns the exit code: the report itself is the output, also when the log is not what it should be */
export async function audit(flags: AuditFlags, { output, interrupts }: Context): Promise<number> {
  const format = formatOf(flags, output.json);
  const keys = await verifierKeys(flags.key ?? []);
  const witnesses = await verifierKeys(flags.witnessKey ?? []);
  const checkpoint = flags.checkpoint === undefined ? undefined : await bytesOf(flags.checkpoint);
  const trust = await import("@rynxs/event-store/trust");
  const report = await withStore(openStore(flags, output, { readOnly: true }), async (store) => {
    const progress = await startProgress("auditing");
    try {
      return await trust.audit(store, {
        from: flags.from,
        to: flags.to,
        expectedHead: flags.expectHead,
        keys,
        origin: flags.origin,
        checkpoint,
        witnesses,
        quorum: flags.quorum,
        signal: interrupts.stop,
        onProgress: (events) => {
          progress.update(events);
        },
      });
    } finally {
      progress.stop();
    }
  });
  const exitCode = report.verdict === "valid" ? EXIT.ok : EXIT.unverified;
  const text = rendered(report, format, exitCode);
  if (flags.output === undefined) await output.line(text);
  else {
    const facts = await written(flags.output, `${text}\n`);
    await output.result(`${report.verdict}: ${flags.output}`, {
      verdict: report.verdict,
      file: flags.output,
      ...facts,
    });
  }
  return exitCode;
}

function rendered(report: AuditReport, format: AuditFormat, exitCode: number): string {
  if (format === "json") return JSON.stringify(auditJson(report, exitCode));
  const document = auditDocument(report, `rynxs ${version()}`);
  return { text: auditText, md: auditMarkdown, html: auditHtml }[format](document);
}

/** As asked for, else as the output's name says. */
function formatOf({ format, output }: AuditFlags, json: boolean): AuditFormat {
  if (format !== undefined) return format;
  const [, extension] = /\.(md|json|html)$/.exec(output ?? "") ?? [];
  if (extension !== undefined) return extension as AuditFormat;
  return json ? "json" : "text";
}

async function written(path: string, text: string): Promise<{ bytes: number; sha256: string }> {
  const file = await WholeFile.create(path);
  try {
    await file.write(Buffer.from(text));
    return await file.finish();
  } catch (error) {
    await file.discard();
    throw error;
  }
}

/** Far more than any key or checkpoint has. */
const MAX_INPUT_BYTES = 4 * 1024 * 1024;

async function bytesOf(path: string): Promise<Buffer> {
  try {
    if ((await stat(path)).size > MAX_INPUT_BYTES) throw usageError(`${path} is too long to be a key or a checkpoint`);
    return await readFile(path);
  } catch (error) {
    if (!(error instanceof Error) || !("syscall" in error)) throw error;
    throw fileError("PATH_UNUSABLE", `cannot read ${path}`, path, error);
  }
}
