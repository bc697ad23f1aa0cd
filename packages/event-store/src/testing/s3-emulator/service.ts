import { ObjectMap } from "../../objects/object-map.js";
import { answer, refusal, xmlAnswer, type Answer, type S3Request } from "./answer.js";
import { restoreObject } from "./archive.js";
import { LifecycleRules } from "./lifecycle.js";
import { listObjects } from "./listing.js";
import { BucketSettings, isSetting, settingOf } from "./settings.js";
import { deleteObject, getObject, putObject, type Quirks } from "./objects.js";
import { askedRetention, lockHeaders, objectLock } from "./object-lock.js";
import { deleteVersion, listVersions, VersionHistory } from "./versions.js";
import { verifiedPayload } from "./payload.js";
import { element, xmlDocument } from "./xml.js";

/** What a request asks for; `OTHER` is answered with NotImplemented. */
export function operationOf({ method, key, bucket, query }: S3Request): string {
  if (bucket === "") return "OTHER";
  if (key === "" && query.has("versions")) return method === "GET" ? "LIST_VERSIONS" : "OTHER";
  if (key !== "" && query.has("retention")) return method === "GET" ? "GET_RETENTION" : "OTHER";
  if (key !== "" && query.has("legal-hold"))
    return method === "GET" || method === "PUT" ? `${method}_LEGAL_HOLD` : "OTHER";
  if (key !== "" && query.has("versionId") && (method === "PUT" || method === "POST")) return "OTHER";
  if (key !== "" && method === "POST") return query.has("restore") ? "RESTORE" : "OTHER";
  if (key === "" && query.has("lifecycle"))
    return ["GET", "PUT", "DELETE"].includes(method) ? `${method}_LIFECYCLE` : "OTHER";
  const setting = key === "" ? settingOf(query) : undefined;
  if (setting !== undefined) return ["GET", "PUT", "DELETE"].includes(method) ? `${method}_${setting}` : "OTHER";
  if (key !== "") return ["PUT", "GET", "HEAD", "DELETE"].includes(method) ? method : "OTHER";
  if (method === "GET") return query.has("location") ? "LOCATION" : "LIST";
  return method === "HEAD" || method === "PUT" ? `${method}_BUCKET` : "OTHER";
}

/** Headers and query parameters that would make another operation of a plain PUT, GET or DELETE. */
const FOREIGN_HEADERS = ["x-amz-copy-source", "x-amz-server-side-encryption-customer-key"];
const FOREIGN_PARAMETERS = ["uploadId", "partNumber", "acl", "tagging", "attributes"];

/** Executes authenticated requests, each in one step, on buckets in memory. */
export class S3Service {
  readonly buckets: Map<string, ObjectMap> = new Map();
  readonly #lifecycles = new WeakMap<ObjectMap, LifecycleRules>();
  readonly #settings = new WeakMap<ObjectMap, BucketSettings>();
  readonly #histories = new WeakMap<ObjectMap, VersionHistory>();
  readonly #quirks: Quirks;
  readonly #now: () => number;
  readonly #region: string | undefined;

  constructor(quirks: Quirks, now: () => number, region: string | undefined) {
    this.#quirks = quirks;
    this.#now = now;
    this.#region = region;
  }

  execute(request: S3Request): Answer {
    const payload = verifiedPayload(request);
    if (!Buffer.isBuffer(payload)) return payload;
    const operation = operationOf(request);
    const foreign =
      FOREIGN_HEADERS.some((name) => request.headers.has(name)) ||
      FOREIGN_PARAMETERS.some((name) => request.query.has(name));
    if (operation === "OTHER" || foreign) {
      return refusal(
        501,
        "NotImplemented",
        "A header or the operation you asked for is not implemented by the emulator",
      );
    }
    if (operation === "PUT_BUCKET") return this.#putBucket(request);
    const bucket = this.buckets.get(request.bucket);
    if (bucket === undefined) {
      return refusal(404, "NoSuchBucket", "The specified bucket does not exist", { BucketName: request.bucket });
    }
    const denied = this.settings(bucket).refuse(request, operation, this.#quirks);
    if (denied !== null) return denied;
    switch (operation) {
      case "PUT":
        return this.#put(bucket, request, payload);
      case "GET":
      case "HEAD":
        return this.#get(bucket, request);
      case "RESTORE":
        return restoreObject(bucket, request, payload, this.#now());
      case "GET_LIFECYCLE":
        return this.lifecycle(bucket).get();
      case "PUT_LIFECYCLE":
        return this.lifecycle(bucket).put(request, payload);
      case "DELETE_LIFECYCLE":
        return this.lifecycle(bucket).delete();
      case "DELETE":
        return this.settings(bucket).versioned || request.query.has("versionId")
          ? deleteVersion(this.history(bucket), request, this.#now())
          : deleteObject(bucket, request);
      case "LIST_VERSIONS":
        return listVersions(this.history(bucket), request);
      case "GET_RETENTION":
      case "GET_LEGAL_HOLD":
      case "PUT_LEGAL_HOLD":
        return objectLock(this.history(bucket), operation, request, payload, this.settings(bucket).locking);
      case "LIST":
        return listObjects(bucket, request);
      case "LOCATION":
        return xmlAnswer(200, xmlDocument("LocationConstraint", { xml: this.#region ?? "" }));
      default:
        if (isSetting(operation)) return this.settings(bucket).answer(operation, payload);
        return answer(200, { "x-amz-bucket-region": this.#region ?? "us-east-1" });
    }
  }

  settings(bucket: ObjectMap): BucketSettings {
    const settings = this.#settings.get(bucket) ?? new BucketSettings();
    this.#settings.set(bucket, settings);
    return settings;
  }

  history(bucket: ObjectMap): VersionHistory {
    const history = this.#histories.get(bucket) ?? new VersionHistory(bucket);
    this.#histories.set(bucket, history);
    return history;
  }

  #put(bucket: ObjectMap, request: S3Request, payload: Buffer): Answer {
    const now = this.#now();
    const { versioned, locking } = this.settings(bucket);
    const retention = askedRetention(request, locking, now);
    if (retention !== undefined && "status" in retention) return retention;
    const before = versioned ? this.history(bucket).of(request.key) : [];
    const answered = putObject(bucket, request, payload, this.#quirks, now);
    if (!versioned || answered.status !== 200) return answered;
    const versionId = this.history(bucket).written(request.key, before, retention, now);
    return { ...answered, headers: { ...answered.headers, "x-amz-version-id": versionId } };
  }

  #get(bucket: ObjectMap, request: S3Request): Answer {
    const asked = request.query.get("versionId");
    const { versioned } = this.settings(bucket);
    if (!versioned && asked === null) return getObject(bucket.get(request.key), request, this.#now());
    const history = this.history(bucket);
    const [newest] = history.of(request.key);
    const version = asked === null ? newest : history.version(request.key, asked);
    const marker = { "x-amz-delete-marker": "true" };
    if (asked !== null && version === undefined)
      return refusal(404, "NoSuchVersion", "The specified version does not exist.", { Key: request.key });
    if (version?.held === null) {
      return asked === null
        ? refusal(404, "NoSuchKey", "The specified key does not exist.", { Key: request.key }, marker)
        : refusal(405, "MethodNotAllowed", "The specified method is not allowed against a delete marker.", {}, marker);
    }
    const answered = getObject(version?.held, request, this.#now());
    if (version === undefined || !versioned || answered.status >= 300) return answered;
    const headers = { ...answered.headers, "x-amz-version-id": version.versionId, ...lockHeaders(version) };
    return { ...answered, headers };
  }

  lifecycle(bucket: ObjectMap): LifecycleRules {
    const rules = this.#lifecycles.get(bucket) ?? new LifecycleRules();
    this.#lifecycles.set(bucket, rules);
    return rules;
  }

  #putBucket({ bucket: name, headers }: S3Request): Answer {
    if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name)) {
      return refusal(400, "InvalidBucketName", "The specified bucket is not valid.", { BucketName: name });
    }
    if (this.buckets.has(name)) {
      const message = "Your previous request to create the named bucket succeeded and you already own it.";
      return xmlAnswer(
        409,
        xmlDocument("Error", element("Code", "BucketAlreadyOwnedByYou"), element("Message", message)),
      );
    }
    const bucket = new ObjectMap();
    this.buckets.set(name, bucket);
    if (headers.get("x-amz-bucket-object-lock-enabled") === "true") this.settings(bucket).enableObjectLock();
    return answer(200, { location: `/${name}` });
  }
}
