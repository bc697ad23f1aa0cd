/** Standard base64 (RFC 4648, section 4), with padding. Null for what is not exactly what an encoder gives: stray characters, missing padding, set spare bits. */
export function decodeBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : null;
}
