/** An element with text, or with elements that are already XML. */
export interface Markup {
  readonly xml: string;
}

const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Text as XML; control characters, which XML 1.0 cannot hold as they are, as character references, as S3 does. */
function escapeText(text: string): string {
  return text.replaceAll(
    /[&<>"\p{Cc}]/gu,
    (char) => ESCAPES[char] ?? `&#x${(char.codePointAt(0) ?? 0).toString(16).toUpperCase()};`,
  );
}

export function element(name: string, content: string | number | boolean | Markup): Markup {
  const inner = typeof content === "object" ? content.xml : escapeText(String(content));
  return { xml: `<${name}>${inner}</${name}>` };
}

export function elements(...parts: readonly Markup[]): Markup {
  return { xml: parts.map((part) => part.xml).join("") };
}

export function xmlDocument(root: string, ...parts: readonly Markup[]): string {
  const inner = elements(...parts).xml;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${inner}</${root}>`;
}

export function errorDocument(code: string, message: string, detail: Readonly<Record<string, string>>): string {
  const facts = Object.entries({ Code: code, Message: message, ...detail, RequestId: "EMULATED", HostId: "emulator" });
  const inner = elements(...facts.map(([name, value]) => element(name, value))).xml;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${inner}</Error>`;
}
