import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { CliError, usageError } from "../exit.js";
import type { Part } from "../export/manifest.js";
import { readManifest } from "../export/manifest.js";
import { fileError } from "../export/whole-file.js";

/** The part files of an export that hold seqs from `from` to `to`, each checked to be what the manifest says. */
export async function checkedFiles(folder: string, from: number, to: number, stop: AbortSignal): Promise<string[]> {
  const manifest = await readManifest(folder);
  if (manifest === null)
    throw usageError(`${folder} holds no export`, "make one: rynxs export --format parquet --output DIR/");
  if (manifest.layout.format !== "parquet") {
    throw usageError(
      `${folder} holds an export as ${manifest.layout.format}`,
      "export with --format parquet into another folder",
    );
  }
  const parts = manifest.parts.filter(({ first, last }) => first <= to && last >= from);
  for (const part of parts) await checkPart(resolve(folder, part.file), part, stop);
  return parts.map(({ file }) => resolve(folder, file));
}

async function checkPart(path: string, { bytes, sha256 }: Part, stop: AbortSignal): Promise<void> {
  const hash = createHash("sha256");
  let size = 0;
  try {
    for await (const chunk of createReadStream(path, {
      highWaterMark: 1024 * 1024,
      signal: stop,
    }) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      size += chunk.length;
    }
  } catch (error) {
    if (stop.aborted) throw new CliError("ABORTED", "the query was stopped", { cause: error });
    throw fileError("PATH_UNUSABLE", `cannot read ${path}`, path, error);
  }
  const found = hash.digest("hex");
  if (size === bytes && found === sha256) return;
  throw new CliError("HASH_MISMATCH", `${path} is not the file that was exported`, {
    facts: { expected: sha256, actual: found, file: path },
    hint: "export again into an empty folder; if nobody should have changed the file, find out who did",
  });
}
