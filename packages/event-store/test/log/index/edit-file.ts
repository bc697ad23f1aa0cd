import { createHash } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";

/** An index file in parts, as docs/SPEC.md describes it: apart from the code that writes it, so that each checks the other. */
export interface FileParts {
  readonly root: RootText;
  /** Bytes before the root. */
  readonly body: Buffer;
}

export interface RootText {
  index: number;
  first: number;
  last: number;
  before: string;
  end: string;
  runs: [number, number][];
  records: { length: number; sha256: string; content: string } | null;
  aggregates: { entries: number; blocks: [number, number, string, string][] };
  types: { entries: number; blocks: [number, number, string, string][] };
}

const TRAILER_BYTES = 62;

export function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export function open(file: Buffer): FileParts {
  const trailer = file.subarray(-TRAILER_BYTES);
  const length = trailer.readUInt32LE(16);
  const root = file.subarray(file.length - TRAILER_BYTES - length, file.length - TRAILER_BYTES);
  if (trailer.subarray(20, 52).toString("hex") !== sha256(root)) throw new Error("the root's sum is wrong");
  return {
    root: JSON.parse(gunzipSync(root).toString()) as RootText,
    body: file.subarray(0, file.length - TRAILER_BYTES - length),
  };
}

function close({ root, body }: FileParts): Buffer {
  const member = gzipSync(JSON.stringify(root));
  const trailer = Buffer.alloc(TRAILER_BYTES);
  Buffer.from("1f8b080400000000 00ff28005278 2400".replaceAll(" ", ""), "hex").copy(trailer);
  trailer.writeUInt32LE(member.length, 16);
  createHash("sha256").update(member).digest().copy(trailer, 20);
  trailer[52] = 3;
  return Buffer.concat([body, member, trailer]);
}

export type AggregateLine = [string, [number, number, number, number, number, number][]];
export type TypeLine = [string, [number, number, string][]];

export interface Content {
  lines: string[];
  aggregates: AggregateLine[];
  types: TypeLine[];
}

export function contentOf(file: Buffer): Content {
  const { root, body } = open(file);
  const text = (length: number, offset = 0): string[] =>
    length === 0
      ? []
      : gunzipSync(body.subarray(offset, offset + length))
          .toString()
          .split("\n")
          .filter((line) => line !== "");
  const table = <T>(blocks: readonly (readonly [number, number, string, string])[]): T[] =>
    blocks.flatMap(([offset, length]) => text(length, offset).map((line) => JSON.parse(line) as T));
  return {
    lines: text(root.records?.length ?? 0),
    aggregates: table(root.aggregates.blocks),
    types: table(root.types.blocks),
  };
}

/** The file with another content: every sum is right again, each table is one block, and so are the records once they were edited. */
export function edited(
  file: Buffer,
  edit: (content: Content) => void,
  editRoot: (root: RootText) => void = () => undefined,
): Buffer {
  const { root, body } = open(file);
  const content = contentOf(file);
  const { lines } = content;
  const before = JSON.stringify(lines);
  edit(content);
  let records = body.subarray(0, root.records?.length ?? 0);
  if (content.lines !== lines || JSON.stringify(content.lines) !== before) {
    const text = content.lines.map((line) => `${line}\n`).join("");
    records = gzipSync(text);
    root.records = { length: records.length, sha256: sha256(records), content: sha256(Buffer.from(text)) };
    for (const [, refs] of content.aggregates) for (const ref of refs) ref.splice(4, 2, 0, records.length);
  }
  const parts = [records];
  let at = records.length;
  for (const [part, lines] of [
    [root.aggregates, content.aggregates],
    [root.types, content.types],
  ] as const) {
    const bytes = gzipSync(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    part.entries = lines.length;
    part.blocks = lines[0] ? [[at, bytes.length, sha256(bytes), lines[0][0]]] : [];
    if (!lines[0]) continue;
    parts.push(bytes);
    at += bytes.length;
  }
  editRoot(root);
  return close({ root, body: Buffer.concat(parts) });
}
