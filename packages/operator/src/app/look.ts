import { KubeError } from "../kube/errors.js";
import type { KubeApi, KubeObject } from "../kube/port.js";
import type { Subject } from "../record/observation.js";
import { objectPath } from "../report/kube-writes.js";

const METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/**
 * Asks whether an object is there: its uid, or null when it is not. What may not be asked counts as there, so that no deletion is recorded that
 * nobody has seen. @throws KubeError when asking again may help
 */
export function lookFor(
  api: KubeApi,
  onForbidden: (subject: Subject, error: unknown) => void,
): (subject: Subject, signal: AbortSignal) => Promise<string | null> {
  return async (subject, signal) => {
    try {
      const object = await api.request({ method: "GET", path: objectPath(subject), accept: METADATA, signal });
      return (object as KubeObject).metadata.uid ?? "";
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      if (error.code === "NOT_FOUND") return null;
      if (error.code !== "FORBIDDEN") throw error;
      onForbidden(subject, error);
      return subject.uid ?? "";
    }
  };
}
