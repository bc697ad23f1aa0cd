/*
 * Keys as file names, both ways, the only place that knows how. A key of plain names is its own path: `a/b.json` is the
 * file b.json in the folder a. What a file system cannot hold is escaped, and reversibly so:
 *
 *   %XX   one byte: `%` itself, NUL, and the first dot of a segment (so `.`, `..` and hidden names are never keys' names)
 *   %     alone: an empty segment, as in `a//b` or a trailing slash
 *   %~    at the end of a folder's name: the segment goes on in the next name (a name has at most 255 bytes)
 */

const MAX_NAME_BYTES = 255;
const EMPTY = "%";
const GOES_ON = "%~";

/** The path of a key below the directory, with `/` between names. */
export function pathOfKey(key: string): string {
  return key.split("/").map(nameOfSegment).join("/");
}

/** The key of a path, or null when the path is not one that `pathOfKey` gives. */
export function keyOfPath(path: string): string | null {
  const key = prefixOfFolder(path)?.slice(0, -1);
  return key !== undefined && pathOfKey(key) === path ? key : null;
}

/** What every key in a folder begins with, given the folder's path below the directory; null when it holds no keys. */
export function prefixOfFolder(path: string): string | null {
  try {
    return path === "" ? "" : path.split("/").map(partOfName).join("");
  } catch {
    return null;
  }
}

function nameOfSegment(segment: string): string {
  if (segment === "") return EMPTY;
  const escaped = segment.replaceAll("%", "%25").replaceAll("\0", "%00").replace(/^\./, "%2E");
  return Buffer.byteLength(escaped) <= MAX_NAME_BYTES ? escaped : split(escaped);
}

/** Cuts a long name into several, never within a character or an escape; a dot that comes to stand in front is escaped. */
function split(escaped: string): string {
  const names: string[] = [];
  let name = "";
  for (const [unit] of escaped.matchAll(/%[0-9A-F]{2}|./gsu)) {
    if (Buffer.byteLength(name + unit) > MAX_NAME_BYTES - GOES_ON.length) {
      names.push(name + GOES_ON);
      name = "";
    }
    name += name === "" && unit === "." ? "%2E" : unit;
  }
  return [...names, name].join("/");
}

/** A name's share of the key, with the slash behind it that belongs to the key. Throws URIError for a malformed escape. */
function partOfName(name: string): string {
  if (name === EMPTY) return "/";
  if (name.endsWith(GOES_ON)) return decodeURIComponent(name.slice(0, -GOES_ON.length));
  return `${decodeURIComponent(name)}/`;
}
