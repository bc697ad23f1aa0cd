import { createHash } from "node:crypto";
import { checkKey } from "../check.js";
import type { ObjectLocks, Retention, VersionOptions } from "../locks.js";
import { failure, type Attempt } from "./attempt.js";
import { attemptOn, objectPath } from "./bucket-requests.js";
import type { BucketLocation } from "./endpoint.js";
import { NO_LOCK_HINT } from "./hints.js";
import type { HttpAnswer } from "./http.js";
import { documentOf, type UpkeepClient } from "./upkeep.js";
import { encodeComponent } from "./uri.js";
import { scan } from "./xml-scan.js";

/** Of an object in a bucket with Object Lock that has neither; the second one is Ceph's gateway's word for it. */
const NOTHING_SET = ["NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError"] as const;
/** How servers say that the bucket, or they themselves, have no Object Lock. */
const NO_LOCK = ["InvalidRequest", "NotImplemented", "MethodNotAllowed", "XNotImplemented"] as const;
const NO_VERSION = "NoSuchVersion";

/** `nothing`: the question is understood, and nothing is set. */
type Said = HttpAnswer | "nothing" | null;

/** `?retention` and `?legal-hold` of versions of objects. */
export class S3Locks implements ObjectLocks {
  readonly #location: BucketLocation;
  readonly #client: UpkeepClient;

  constructor(location: BucketLocation, client: UpkeepClient) {
    this.#location = location;
    this.#client = client;
  }

  async retention(key: string, versionId: string, { signal }: VersionOptions = {}): Promise<Retention | "none" | null> {
    const attempt = attemptOn(this.#location, "GET_RETENTION", key);
    const answer = await this.#ask(attempt, "GET", key, `retention=&${versionQuery(versionId)}`, signal);
    if (answer === null) return null;
    if (answer === "nothing") return "none";
    const { Mode: mode, RetainUntilDate: date } = fieldsOf(answer, "Retention", attempt);
    if (mode === undefined && date === undefined) return "none";
    const until = Date.parse(date ?? "");
    if ((mode !== "GOVERNANCE" && mode !== "COMPLIANCE") || Number.isNaN(until))
      throw unreadable(attempt, answer.status);
    return { mode, until };
  }

  async legalHold(key: string, versionId: string, { signal }: VersionOptions = {}): Promise<boolean | null> {
    const attempt = attemptOn(this.#location, "GET_LEGAL_HOLD", key);
    const answer = await this.#ask(attempt, "GET", key, `legal-hold=&${versionQuery(versionId)}`, signal);
    if (answer === null) return null;
    if (answer === "nothing") return false;
    const { Status: status } = fieldsOf(answer, "LegalHold", attempt);
    return status === "ON";
  }

  async setLegalHold(key: string, versionId: string, on: boolean, { signal }: VersionOptions = {}): Promise<boolean> {
    const attempt = attemptOn(this.#location, "PUT_LEGAL_HOLD", key);
    const status = on ? "ON" : "OFF";
    const xml = `<LegalHold xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>${status}</Status></LegalHold>`;
    const query = `legal-hold=&${versionQuery(versionId)}`;
    return (await this.#ask(attempt, "PUT", key, query, signal, Buffer.from(xml))) !== null;
  }

  async #ask(
    attempt: Attempt,
    method: "GET" | "PUT",
    key: string,
    query: string,
    signal: AbortSignal | undefined,
    body?: Buffer,
  ): Promise<Said> {
    checkKey(key);
    const answer = await this.#client.send(
      {
        attempt,
        method,
        path: objectPath(this.#location, key),
        query,
        headers: body === undefined ? [] : documentHeaders(body),
        ...(body !== undefined && { body }),
      },
      signal,
      ...NOTHING_SET,
      NO_VERSION,
      ...NO_LOCK,
    );
    if (answer === null || answer === NO_VERSION) return null;
    if (typeof answer === "object") return answer;
    if (NOTHING_SET.some((each) => each === answer)) return "nothing";
    throw failure("NO_OBJECT_LOCK", attempt, "there is no Object Lock here", { code: answer, hint: NO_LOCK_HINT });
  }
}

function versionQuery(versionId: string): string {
  return `versionId=${encodeComponent(versionId)}`;
}

function documentHeaders(body: Buffer): [string, string][] {
  const sum = (algorithm: string): string => createHash(algorithm).update(body).digest("base64");
  return [
    ["content-type", "application/xml"],
    // Older servers want the one, newer ones the other.
    ["content-md5", sum("md5")],
    ["x-amz-checksum-sha256", sum("sha256")],
  ];
}

/** The elements of a document of one level. @throws BackendError when it is another */
function fieldsOf(answer: HttpAnswer, root: string, attempt: Attempt): Partial<Record<string, string>> {
  const fields: Partial<Record<string, string>> = {};
  let found = "";
  const whole = scan(documentOf(answer, attempt), (path, text) => {
    found = path[0] ?? "";
    if (path.length === 2) fields[path[1] ?? ""] = text.trim();
  });
  // Ceph's gateway calls the documents by other names.
  if (!whole || !found.endsWith(root)) throw unreadable(attempt, answer.status);
  return fields;
}

function unreadable(attempt: Attempt, status: number): Error {
  return failure("NO_OBJECT_LOCK", attempt, "the answer is none about a lock: this server does not know the question", {
    status,
    hint: NO_LOCK_HINT,
  });
}
