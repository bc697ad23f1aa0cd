import { ApiFailure } from "./failure.js";

/** The form in which a client wants to have objects. */
export type Form = "object" | "metadata" | "table";

/**
 * Chooses from an Accept header. `PartialObjectMetadataList` is for lists, `PartialObjectMetadata` for single objects and watches;
 * confusing them is refused, as by real servers. @throws ApiFailure 406
 */
export function formOf(accept: string, what: "one" | "list" | "watch"): Form {
  const alternatives = accept === "" ? ["*/*"] : accept.split(",");
  for (const alternative of alternatives) {
    const form = formOfOne(alternative.trim(), what);
    if (form !== null) return form;
  }
  const known = "application/json, application/json;as=PartialObjectMetadata, application/json;as=Table";
  throw new ApiFailure(406, "NotAcceptable", `only the following media types are accepted: ${known}`);
}

function formOfOne(alternative: string, what: string): Form | null {
  const [type = "", ...rest] = alternative.split(";").map((part) => part.trim());
  if (!["application/json", "application/*", "*/*"].includes(type.toLowerCase())) return null;
  const parameters = new Map(rest.map((part) => [part.split("=")[0] ?? "", part.split("=")[1] ?? ""]));
  const as = parameters.get("as");
  if (as === undefined) return "object";
  if (parameters.get("g") !== "meta.k8s.io" || parameters.get("v") !== "v1") return null;
  if (as === "Table") return "table";
  return as === (what === "list" ? "PartialObjectMetadataList" : "PartialObjectMetadata") ? "metadata" : null;
}
