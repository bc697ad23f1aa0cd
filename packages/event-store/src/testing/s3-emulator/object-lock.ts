import type { Retention } from "../../objects/locks.js";
import { answer, refusal, xmlAnswer, type Answer, type S3Request } from "./answer.js";
import type { Version, VersionHistory } from "./versions.js";
import { element, xmlDocument } from "./xml.js";

const MODE = "x-amz-object-lock-mode";
const UNTIL = "x-amz-object-lock-retain-until-date";

/** The retention that a put asks for; undefined when it asks for none. An answer is a refusal. */
export function askedRetention({ headers }: S3Request, locking: boolean, now: number): Answer | Retention | undefined {
  const [mode, date] = [headers.get(MODE), headers.get(UNTIL)];
  if (mode === undefined && date === undefined) return undefined;
  if (!locking) return refusal(400, "InvalidRequest", "Bucket is missing Object Lock Configuration");
  const until = Date.parse(date ?? "");
  if ((mode !== "GOVERNANCE" && mode !== "COMPLIANCE") || Number.isNaN(until)) {
    return refusal(400, "InvalidArgument", "Unknown wormMode directive, or no date.");
  }
  if (until <= now) return refusal(400, "InvalidArgument", "The retain until date must be in the future!");
  if (!headers.has("content-md5") && ![...headers.keys()].some((name) => name.startsWith("x-amz-checksum-"))) {
    const message = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock";
    return refusal(400, "InvalidRequest", message);
  }
  return { mode, until };
}

/** What GET and HEAD say of a version's lock. */
export function lockHeaders({ retention, legalHold }: Version): Record<string, string> {
  return {
    ...(retention && { [MODE]: retention.mode, [UNTIL]: new Date(retention.until).toISOString() }),
    ...(legalHold && { "x-amz-object-lock-legal-hold": "ON" }),
  };
}

/** GET ?retention, GET and PUT ?legal-hold. */
export function objectLock(
  history: VersionHistory,
  operation: string,
  { key, query }: S3Request,
  body: Buffer,
  locking: boolean,
): Answer {
  if (!locking) return refusal(400, "InvalidRequest", "Bucket is missing Object Lock Configuration");
  const asked = query.get("versionId");
  const version = asked === null ? history.of(key)[0] : history.version(key, asked);
  if (version === undefined) return refusal(404, asked === null ? "NoSuchKey" : "NoSuchVersion", "There is none.");
  if (version.held === null) return refusal(405, "MethodNotAllowed", "It is a delete marker.");
  const { versionId, retention, legalHold } = version;
  if (operation === "PUT_LEGAL_HOLD") {
    const status = /<Status>(ON|OFF)<\/Status>/.exec(body.toString())?.[1];
    if (status === undefined) return refusal(400, "MalformedXML", "The XML you provided was not well-formed");
    history.change(key, versionId, { legalHold: status === "ON" });
    return answer(200);
  }
  const unset = refusal(404, "NoSuchObjectLockConfiguration", "The object has no such lock configuration");
  if (operation === "GET_LEGAL_HOLD")
    return legalHold ? xmlAnswer(200, xmlDocument("LegalHold", element("Status", "ON"))) : unset;
  if (retention === undefined) return unset;
  const until = element("RetainUntilDate", new Date(retention.until).toISOString());
  return xmlAnswer(200, xmlDocument("Retention", element("Mode", retention.mode), until));
}
