import { ObjectMap } from "../../objects/object-map.js";
import { answer, refusal, xmlAnswer, type Answer, type S3Request } from "./answer.js";
import { restoreObject } from "./archive.js";
import { LifecycleRules } from "./lifecycle.js";
import { listObjects } from "./listing.js";
import { BucketSettings, isSetting, settingOf } from "./settings.js";
import { deleteObject, getObject, putObject, type Quirks } from "./objects.js";
import { verifiedPayload } from "./payload.js";
import { element, xmlDocument } from "./xml.js";

/** What a request asks for; `OTHER` is answered with NotImplemented. */
export function operationOf({ method, key, bucket, query }: S3Request): string {
  if (bucket === "") return "OTHER";
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
const FOREIGN_HEADERS = ["x-amz-copy-source", "x-amz-object-lock-mode", "x-amz-server-side-encryption-customer-key"];
const FOREIGN_PARAMETERS = [
  "uploadId",
  "partNumber",
  "versionId",
  "acl",
  "tagging",
  "retention",
  "legal-hold",
  "attributes",
];

/** Executes authenticated requests, each in one step, on buckets in memory. */
export class S3Service {
  readonly buckets: Map<string, ObjectMap> = new Map();
  readonly #lifecycles = new WeakMap<ObjectMap, LifecycleRules>();
  readonly #settings = new WeakMap<ObjectMap, BucketSettings>();
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
    if (operation === "PUT_BUCKET") return this.#putBucket(request.bucket);
    const bucket = this.buckets.get(request.bucket);
    if (bucket === undefined) {
      return refusal(404, "NoSuchBucket", "The specified bucket does not exist", { BucketName: request.bucket });
    }
    const denied = this.settings(bucket).refuse(request, operation, this.#quirks);
    if (denied !== null) return denied;
    switch (operation) {
      case "PUT":
        return putObject(bucket, request, payload, this.#quirks, this.#now());
      case "GET":
      case "HEAD":
        return getObject(bucket, request, this.#now());
      case "RESTORE":
        return restoreObject(bucket, request, payload, this.#now());
      case "GET_LIFECYCLE":
        return this.lifecycle(bucket).get();
      case "PUT_LIFECYCLE":
        return this.lifecycle(bucket).put(request, payload);
      case "DELETE_LIFECYCLE":
        return this.lifecycle(bucket).delete();
      case "DELETE":
        return deleteObject(bucket, request);
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

  lifecycle(bucket: ObjectMap): LifecycleRules {
    const rules = this.#lifecycles.get(bucket) ?? new LifecycleRules();
    this.#lifecycles.set(bucket, rules);
    return rules;
  }

  #putBucket(name: string): Answer {
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
    this.buckets.set(name, new ObjectMap());
    return answer(200, { location: `/${name}` });
  }
}
