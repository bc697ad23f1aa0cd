import type { JsonObject } from "./json.js";

/** One thing that is wrong with an object, as a Status tells it. */
export interface Cause {
  readonly reason:
    | "FieldValueRequired"
    | "FieldValueInvalid"
    | "FieldValueTypeInvalid"
    | "FieldValueNotSupported"
    | "FieldValueDuplicate"
    | "FieldValueForbidden"
    | "FieldValueTooLong"
    | "FieldValueTooMany";
  readonly message: string;
  readonly field: string;
}

/** The `Status` object that API servers refuse with. */
export interface Status extends JsonObject {
  readonly kind: "Status";
  readonly apiVersion: "v1";
  readonly status: "Failure" | "Success";
  readonly message?: string;
  readonly reason?: string;
  readonly details?: JsonObject;
  readonly code: number;
}

/** What a request is refused with. */
export class ApiFailure extends Error {
  readonly status: Status;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: number,
    reason: string,
    message: string,
    details?: JsonObject,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.name = "ApiFailure";
    this.headers = headers;
    this.status = {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message,
      reason,
      ...(details === undefined ? {} : { details }),
      code,
    };
  }
}

interface Named {
  readonly group: string;
  readonly plural: string;
  readonly kind: string;
}

/** `agents.universe.ai`; `configmaps` in the core group. */
export function qualified({ group, plural }: { group: string; plural: string }): string {
  return group === "" ? plural : `${plural}.${group}`;
}

function details({ group, plural }: Named, name: string): JsonObject {
  return { name, ...(group === "" ? {} : { group }), kind: plural };
}

export function noSuchPath(): ApiFailure {
  return new ApiFailure(404, "NotFound", "the server could not find the requested resource", {});
}

export function notFound(resource: Named, name: string): ApiFailure {
  return new ApiFailure(404, "NotFound", `${qualified(resource)} "${name}" not found`, details(resource, name));
}

export function alreadyExists(resource: Named, name: string): ApiFailure {
  return new ApiFailure(
    409,
    "AlreadyExists",
    `${qualified(resource)} "${name}" already exists`,
    details(resource, name),
  );
}

export function conflict(resource: Named, name: string, why?: string): ApiFailure {
  const because = why ?? "the object has been modified; please apply your changes to the latest version and try again";
  const message = `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${because}`;
  return new ApiFailure(409, "Conflict", message, details(resource, name));
}

/** What happened since a resourceVersion is not known any more. */
export function expired(message: string): ApiFailure {
  return new ApiFailure(410, "Expired", message);
}

export function badRequest(message: string): ApiFailure {
  return new ApiFailure(400, "BadRequest", message);
}

export function unsupportedMedia(message: string): ApiFailure {
  return new ApiFailure(415, "UnsupportedMediaType", message);
}

export function methodNotAllowed(): ApiFailure {
  return new ApiFailure(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {});
}

export function invalid({ group, kind }: Named, name: string, causes: readonly Cause[]): ApiFailure {
  const each = causes.map(({ field, message }) => `${field}: ${message}`);
  const all = each.length === 1 ? each.join() : `[${each.join(", ")}]`;
  const what = group === "" ? kind : `${kind}.${group}`;
  return new ApiFailure(422, "Invalid", `${what} "${name}" is invalid: ${all}`, {
    name,
    ...(group === "" ? {} : { group }),
    kind,
    causes,
  });
}
