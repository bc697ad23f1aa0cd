/*
 * Percent-encoding as S3 signatures have it: every byte of the UTF-8 but A-Z a-z 0-9 - . _ ~ becomes %XX. Nothing is ever
 * normalised: `//`, `.` and `..` are parts of a key like any other.
 */

const PLAIN = /^[\w.~-]*$/;
const PLAIN_PATH = /^[\w.~/-]*$/;

/** A query value, or one segment of a path. */
export function encodeComponent(text: string): string {
  if (PLAIN.test(text)) return text;
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** A key as a path: its slashes stay. */
export function encodePath(key: string): string {
  return PLAIN_PATH.test(key) ? key : key.split("/").map(encodeComponent).join("/");
}

/** What `encoding-type=url` did to a key in a listing: `+` is a space. Null when it is not well-formed. */
export function decodeListed(text: string): string | null {
  if (!/[%+]/.test(text)) return text;
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return null;
  }
}
