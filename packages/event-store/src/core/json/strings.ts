/**
 * A well-formed string as canonical JSON. JSON.stringify escapes exactly what Python's `ensure_ascii=False` does:
 * `"`, `\`, and U+0000 … U+001F (short forms where they exist, else lower-case `\u00xx`).
 */
export function quote(text: string): string {
  return JSON.stringify(text);
}

/** Order of object keys: by Unicode code point. UTF-16 order differs where surrogates meet U+E000 … U+FFFF. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Lifts surrogates above the rest of the BMP, which is where the code points they stand for belong. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}
