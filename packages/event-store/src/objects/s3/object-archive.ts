import type { IncomingHttpHeaders } from "node:http";
import type { ArchiveState, ObjectArchive, RestoreAnswer, RestoreRequest } from "../archive.js";
import { checkKey } from "../check.js";
import { failure } from "./attempt.js";
import { attemptOn, objectPath } from "./bucket-requests.js";
import type { BucketLocation } from "./endpoint.js";
import type { UpkeepClient } from "./upkeep.js";

/** Classes whose objects cannot be read as they are. GLACIER_IR is not one of them. */
const ARCHIVES: ReadonlySet<string> = new Set(["GLACIER", "DEEP_ARCHIVE"]);

/** `HEAD` of an object, and `POST` with `?restore`. */
export class S3Archive implements ObjectArchive {
  readonly #location: BucketLocation;
  readonly #client: UpkeepClient;

  constructor(location: BucketLocation, client: UpkeepClient) {
    this.#location = location;
    this.#client = client;
  }

  async state(
    key: string,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<ArchiveState | null> {
    checkKey(key);
    const attempt = attemptOn(this.#location, "HEAD", key);
    const path = objectPath(this.#location, key);
    const answer = await this.#client.send({ attempt, method: "HEAD", path, headers: [] }, signal);
    return answer === null ? null : archiveState(answer.headers);
  }

  async restore(key: string, { days, tier, signal }: RestoreRequest): Promise<RestoreAnswer> {
    checkKey(key);
    const attempt = attemptOn(this.#location, "RESTORE", key);
    const kept = days === undefined ? "" : `<Days>${String(days)}</Days>`;
    const job = `<GlacierJobParameters><Tier>${tier}</Tier></GlacierJobParameters>`;
    const xml = `<RestoreRequest xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${kept}${job}</RestoreRequest>`;
    const answer = await this.#client.send(
      {
        attempt,
        method: "POST",
        path: objectPath(this.#location, key),
        query: "restore=",
        headers: [["content-type", "application/xml"]],
        body: Buffer.from(xml),
      },
      signal,
      "RestoreAlreadyInProgress",
    );
    if (answer === "RestoreAlreadyInProgress") return "under-way";
    if (answer === null) throw failure("REQUEST_REFUSED", attempt, "there is no such object any more");
    return answer.status === 202 ? "asked" : "prolonged";
  }
}

/** What the headers of a HEAD say. S3 names the class of all but STANDARD. */
export function archiveState(headers: IncomingHttpHeaders): ArchiveState {
  const given = (name: string): string | undefined => {
    const value = headers[name];
    return typeof value === "string" ? value : undefined;
  };
  const storageClass = given("x-amz-storage-class") ?? "STANDARD";
  const restore = given("x-amz-restore") ?? "";
  if (restore.includes('ongoing-request="true"')) return { storageClass, state: "restoring" };
  if (restore.includes('ongoing-request="false"')) {
    const until = Date.parse(/expiry-date="([^"]*)"/.exec(restore)?.[1] ?? "");
    return { storageClass, state: "readable", ...(Number.isNaN(until) ? {} : { readableUntil: until }) };
  }
  const archived = ARCHIVES.has(storageClass) || given("x-amz-archive-status") !== undefined;
  return { storageClass, state: archived ? "archived" : "readable" };
}
