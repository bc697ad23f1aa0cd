import { KubeError, type KubeErrorCode } from "../kube/errors.js";
import type { KubeApi, KubeObject } from "../kube/port.js";
import type { Subject } from "../record/observation.js";
import { objectPath } from "../report/kube-writes.js";

/** Asking again may help. Else one object would hold back everything that is to be recorded after it. */
const PASSING: readonly KubeErrorCode[] = ["UNAVAILABLE", "THROTTLED", "UNAUTHORIZED", "CONFLICT", "GONE", "ABORTED"];

const METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/**
 * Asks whether an object is there: its uid, or null when it is not. What cannot be asked counts as there, so that no deletion is recorded that
 * nobody has seen. @throws KubeError when asking again may help
 */
export function lookFor(
  api: KubeApi,
  onRefused: (subject: Subject, error: unknown) => void,
): (subject: Subject, signal: AbortSignal) => Promise<string | null> {
  return async (subject, signal) => {
    try {
      const object = await api.request({ method: "GET", path: objectPath(subject), accept: METADATA, signal });
      return (object as KubeObject).metadata.uid ?? "";
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      if (error.code === "NOT_FOUND") return null;
      if (PASSING.includes(error.code)) throw error;
      onRefused(subject, error);
      return subject.uid ?? "";
    }
  };
}
