import { createHash } from "node:crypto";
import type { BucketLifecycle, LifecycleDocument, LifecycleOptions } from "../lifecycle.js";
import type { Attempt } from "./attempt.js";
import { attemptOn, bucketPath } from "./bucket-requests.js";
import type { BucketLocation } from "./endpoint.js";
import { documentOf, type UpkeepClient } from "./upkeep.js";

const MINIMUM_SIZE = "x-amz-transition-default-minimum-object-size";
const QUERY = "lifecycle=";

/** `GET`, `PUT` and `DELETE` of a bucket with `?lifecycle`. */
export class S3Lifecycle implements BucketLifecycle {
  readonly #location: BucketLocation;
  readonly #client: UpkeepClient;

  constructor(location: BucketLocation, client: UpkeepClient) {
    this.#location = location;
    this.#client = client;
  }

  async get({ signal }: LifecycleOptions = {}): Promise<LifecycleDocument | null> {
    const attempt = this.#attempt("GET_LIFECYCLE");
    const path = bucketPath(this.#location);
    const answer = await this.#client.send(
      { attempt, method: "GET", path, query: QUERY, headers: [] },
      signal,
      "NoSuchLifecycleConfiguration",
    );
    if (answer === "NoSuchLifecycleConfiguration") return null;
    const minimumSize = answer?.headers[MINIMUM_SIZE];
    const xml = documentOf(answer, attempt);
    return typeof minimumSize === "string" ? { xml, minimumSize } : { xml };
  }

  async put(document: LifecycleDocument | null, { signal }: LifecycleOptions = {}): Promise<void> {
    const attempt = this.#attempt("PUT_LIFECYCLE");
    const path = bucketPath(this.#location);
    if (document === null) {
      await this.#client.send({ attempt, method: "DELETE", path, query: QUERY, headers: [] }, signal);
      return;
    }
    const body = Buffer.from(document.xml);
    const sum = (algorithm: string): string => createHash(algorithm).update(body).digest("base64");
    const headers: [string, string][] = [
      ["content-type", "application/xml"],
      // Older servers want the one, newer ones the other.
      ["content-md5", sum("md5")],
      ["x-amz-checksum-sha256", sum("sha256")],
    ];
    if (document.minimumSize !== undefined) headers.push([MINIMUM_SIZE, document.minimumSize]);
    await this.#client.send({ attempt, method: "PUT", path, query: QUERY, headers, body }, signal);
  }

  #attempt(operation: Attempt["operation"]): Attempt {
    return attemptOn(this.#location, operation);
  }
}
