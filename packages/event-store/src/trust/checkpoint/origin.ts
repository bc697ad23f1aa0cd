import { ConfigError } from "../../core/errors.js";

/**
 * The name of a log in a bucket, that no copy of it under another name has: `rynxs.s3/BUCKET/PREFIX`, each part percent-encoded. Null
 * for a log that has no place that others know it by: a file. `location`: as `EventStore.location` has it.
 */
export function originOfPlace(location: string): string | null {
  const [, place] = /^s3:\/\/(.+?)\/*$/.exec(location) ?? [];
  return place === undefined ? null : `rynxs.s3/${place.split("/").map(encodePart).join("/")}`;
}

/** What a log is to be called. @throws ConfigError for a log in a file that was given no name */
export function originFor(location: string, given?: string): string {
  const origin = given ?? originOfPlace(location);
  if (origin !== null) return origin;
  throw new ConfigError(`${location} has no name of its own`, {
    hint: "give one with --origin, as in example.com/my-log: whoever verifies the log pins it",
  });
}

/** All but what RFC 3986 calls unreserved. */
function encodePart(part: string): string {
  return encodeURIComponent(part).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
