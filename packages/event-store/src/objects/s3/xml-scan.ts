/*
 * A reader of XML for S3's documents. It knows elements, text, CDATA and the five entities; what it does not know (a DOCTYPE,
 * a foreign entity, tags that do not match) makes a document unreadable.
 */

const MAX_DEPTH = 16;

/**
 * Calls `onEnd` at the end of each element with the names from the root down to it, its own text, and where its tags begin and
 * end. False: not well-formed.
 */
export function scan(
  xml: string,
  onEnd: (path: readonly string[], text: string, start: number, end: number) => void,
): boolean {
  const path: string[] = [];
  const starts: number[] = [];
  let text = "";
  let roots = 0;
  let at = 0;
  while (at < xml.length) {
    const open = xml.indexOf("<", at);
    const piece = decodeEntities(xml.slice(at, open === -1 ? undefined : open));
    if (piece === null) return false;
    text += piece;
    if (open === -1) break;

    if (xml.startsWith("<![CDATA[", open)) {
      const end = xml.indexOf("]]>", open);
      if (end === -1) return false;
      text += xml.slice(open + 9, end);
      at = end + 3;
      continue;
    }
    const [opener, closer] = xml.startsWith("<!--", open)
      ? ["<!--", "-->"]
      : xml.startsWith("<?", open)
        ? ["<?", "?>"]
        : ["<", ">"];
    const end = xml.indexOf(closer, open + opener.length);
    if (end === -1) return false;
    at = end + closer.length;
    if (opener !== "<") continue;

    const tag = /^(\/?)(?:[\w.-]+:)?([\w.-]+)(?:\s[^<]*?)?(\/?)$/.exec(xml.slice(open + 1, end));
    if (tag === null) return false;
    const [, slash, name = "", selfClosing] = tag;
    if (slash === "") {
      if (path.length === 0 && roots++ > 0) return false;
      if (path.push(name) > MAX_DEPTH) return false;
      starts.push(open);
      text = "";
    }
    if (slash === "/" || selfClosing === "/") {
      if (path.at(-1) !== name) return false;
      onEnd(path, text, starts.pop() ?? open, at);
      path.pop();
      text = "";
    }
  }
  return path.length === 0 && roots === 1;
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function decodeEntities(text: string): string | null {
  if (!text.includes("&")) return text;
  const parts = text.split(/&([^&;]{0,10});/);
  for (let i = 1; i < parts.length; i += 2) {
    const value = entity(parts[i] ?? "");
    if (value === undefined) return null;
    parts[i] = value;
  }
  return parts.some((part, i) => i % 2 === 0 && part.includes("&")) ? null : parts.join("");
}

function entity(name: string): string | undefined {
  const number = /^#(?:x([0-9a-f]{1,6})|(\d{1,7}))$/i.exec(name);
  if (number === null) return ENTITIES[name];
  const point = number[1] === undefined ? Number(number[2]) : Number.parseInt(number[1], 16);
  return point <= 0x10ffff ? String.fromCodePoint(point) : undefined;
}
