import { isArchived, type HeldObject, type ObjectMap } from "../../objects/object-map.js";
import { answer, refusal, type Answer, type S3Request } from "./answer.js";

const DAY_MS = 86_400_000;

/** The refusal that a GET of an archived object earns. */
export function refuseArchived(held: HeldObject, now: number): Answer | null {
  if (!isArchived(held, now)) return null;
  const message = "The operation is not valid for the object's storage class";
  return refusal(403, "InvalidObjectState", message, { StorageClass: held.storageClass });
}

/** What a HEAD or GET says about an object's class; nothing for STANDARD. */
export function classHeaders({ storageClass, restore }: HeldObject): Record<string, string> {
  if (storageClass === "STANDARD") return {};
  const said =
    restore === undefined
      ? undefined
      : restore === "ongoing"
        ? `ongoing-request="true"`
        : `ongoing-request="false", expiry-date="${new Date(restore).toUTCString()}"`;
  return { "x-amz-storage-class": storageClass, ...(said === undefined ? {} : { "x-amz-restore": said }) };
}

/** POST ?restore. A restoration that it begins stays under way until the test completes it. */
export function restoreObject(bucket: ObjectMap, request: S3Request, body: Buffer, now: number): Answer {
  const held = bucket.get(request.key);
  if (held === undefined) return refusal(404, "NoSuchKey", "The specified key does not exist.", { Key: request.key });
  const text = body.toString();
  const days = Number(/<Days>(\d+)<\/Days>/.exec(text)?.[1] ?? 0);
  const tier = /<Tier>(\w+)<\/Tier>/.exec(text)?.[1] ?? "Standard";
  if (!text.includes("<RestoreRequest") || days < 1 || !["Standard", "Bulk", "Expedited"].includes(tier))
    return refusal(400, "MalformedXML", "The XML you provided was not well-formed");
  if (!["GLACIER", "DEEP_ARCHIVE"].includes(held.storageClass)) {
    const message = "Restore is not allowed for the object's current storage class";
    return refusal(403, "InvalidObjectState", message, { StorageClass: held.storageClass });
  }
  if (tier === "Expedited" && held.storageClass === "DEEP_ARCHIVE")
    return refusal(400, "InvalidArgument", "Expedited retrieval is not available for this storage class");
  if (held.restore === "ongoing")
    return refusal(409, "RestoreAlreadyInProgress", "Object restore is already in progress");
  if (typeof held.restore === "number" && held.restore > now) {
    bucket.change(request.key, { restore: now + days * DAY_MS });
    return answer(200);
  }
  bucket.change(request.key, { restore: "ongoing" });
  return answer(202);
}

/** Ends all restorations that are under way: the copies can be read up to `until`. Returns how many there were. */
export function completeRestores(bucket: ObjectMap, until: number): number {
  const ongoing = bucket.keys().filter((key) => bucket.get(key)?.restore === "ongoing");
  for (const key of ongoing) bucket.change(key, { restore: until });
  return ongoing.length;
}
