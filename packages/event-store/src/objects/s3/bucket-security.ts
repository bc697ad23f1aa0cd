import { BackendError } from "../../core/errors.js";
import type { BucketSecurity, BucketSetting, SettingAnswer } from "../security.js";
import type { Attempt } from "./attempt.js";
import { attemptOn, bucketPath, objectPath } from "./bucket-requests.js";
import type { BucketLocation } from "./endpoint.js";
import type { UpkeepClient } from "./upkeep.js";

interface Question {
  readonly operation: Attempt["operation"];
  readonly query: string;
  /** How servers say that it is not set. */
  readonly unset: string;
  /** What an answer's document begins with, its XML declaration aside: a server that does not know the question lists the bucket instead. */
  readonly answer: RegExp;
}

const QUESTIONS: Readonly<Record<BucketSetting, Question>> = {
  policy: { operation: "GET_POLICY", query: "policy=", unset: "NoSuchBucketPolicy", answer: /^\{/ },
  versioning: { operation: "GET_VERSIONING", query: "versioning=", unset: "", answer: /^<VersioningConfiguration\b/ },
  "object-lock": {
    operation: "GET_OBJECT_LOCK",
    query: "object-lock=",
    unset: "ObjectLockConfigurationNotFoundError",
    answer: /^<ObjectLockConfiguration\b/,
  },
  "public-access-block": {
    operation: "GET_PUBLIC_ACCESS_BLOCK",
    query: "publicAccessBlock=",
    unset: "NoSuchPublicAccessBlockConfiguration",
    answer: /^<PublicAccessBlockConfiguration\b/,
  },
  encryption: {
    operation: "GET_ENCRYPTION",
    query: "encryption=",
    unset: "ServerSideEncryptionConfigurationNotFoundError",
    answer: /^<ServerSideEncryptionConfiguration\b/,
  },
};

/** `GET` of a bucket's subresources. */
export class S3Security implements BucketSecurity {
  readonly #location: BucketLocation;
  readonly #client: UpkeepClient;

  constructor(location: BucketLocation, client: UpkeepClient) {
    this.#location = location;
    this.#client = client;
  }

  async ask(
    setting: BucketSetting,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<SettingAnswer> {
    const { operation, query, unset, answer } = QUESTIONS[setting];
    const attempt = attemptOn(this.#location, operation);
    const path = bucketPath(this.#location);
    try {
      const got = await this.#client.send({ attempt, method: "GET", path, query, headers: [] }, signal, unset);
      if (got === unset || got === null) return { kind: "unset" };
      if (typeof got === "string") return { kind: "unsupported", detail: got };
      const document = got.body.toString("utf8").trim();
      const body = document.replace(/^<\?xml[^>]*\?>\s*/, "");
      // Some servers have an empty answer for what is not set.
      if (body === "") return { kind: "unset" };
      return answer.test(body)
        ? { kind: "set", document }
        : { kind: "unsupported", detail: "it answers something else" };
    } catch (error) {
      return settled(error);
    }
  }

  async overwrite(
    key: string,
    body: Uint8Array,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<"stored" | "denied"> {
    const attempt = attemptOn(this.#location, "PUT", key);
    const headers = [["content-type", "application/json"]] as const;
    try {
      await this.#client.send({ attempt, method: "PUT", path: objectPath(this.#location, key), headers, body }, signal);
      return "stored";
    } catch (error) {
      if (error instanceof BackendError && error.code === "ACCESS_DENIED" && error.facts.backendCode === "AccessDenied")
        return "denied";
      throw error;
    }
  }
}

/** Statuses of servers that do not know what they are asked. */
const UNKNOWN_QUESTION = new Set([400, 404, 405, 501]);

/** A failure that is an answer. @throws every other one */
function settled(error: unknown): SettingAnswer {
  if (!(error instanceof BackendError) || error.code === "BUCKET_NOT_FOUND") throw error;
  const { status, backendCode } = error.facts;
  const detail = [status, backendCode].filter((part) => part !== undefined).join(" ");
  if (error.code === "ACCESS_DENIED" && status === 403 && backendCode === "AccessDenied")
    return { kind: "denied", detail };
  if (status !== undefined && UNKNOWN_QUESTION.has(status)) return { kind: "unsupported", detail };
  throw error;
}
