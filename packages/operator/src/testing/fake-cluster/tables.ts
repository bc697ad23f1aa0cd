import type { KubeObject } from "../../kube/port.js";
import { stringify, type JsonObject } from "./json.js";
import { jsonPath } from "./json-path.js";
import { partialMetadata } from "./projection.js";
import type { PrinterColumn, Resource } from "./resource.js";

const NAME: PrinterColumn = { name: "Name", type: "string", format: "name", jsonPath: ".metadata.name" };
const AGE: PrinterColumn = { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" };

/** What has a time of its own, or a definition with columns of its own, has an Age only if it lists one. */
function columnsOf({ columns, custom }: Resource): readonly PrinterColumn[] {
  const complete = custom ? columns.length > 0 : columns.some(({ type }) => type === "date");
  return complete ? [NAME, ...columns] : [NAME, ...columns, AGE];
}

/** What `kubectl get` prints. `now`: Unix milliseconds, for ages. */
export function table(
  resource: Resource,
  objects: readonly KubeObject[],
  metadata: JsonObject,
  now: number,
): JsonObject {
  const columns = columnsOf(resource);
  const readers = columns.map((column) => cellReader(column, now));
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata,
    columnDefinitions: columns.map(({ name, type, format = "", description = "", priority = 0 }) => ({
      name,
      type: type === "date" ? "string" : type,
      format,
      description,
      priority,
    })),
    rows: objects.map((object) => ({
      cells: readers.map((read) => read(object)),
      object: partialMetadata(object),
    })),
  };
}

function cellReader(column: PrinterColumn, now: number): (object: KubeObject) => unknown {
  const find = jsonPath(column.jsonPath);
  return (object) => {
    const found = find?.(object)[0];
    if (found === undefined || found === null) return null;
    if (column.type === "date") return typeof found === "string" ? age(found, now) : null;
    if (column.type === "string" && typeof found !== "string") return stringify(found);
    return found;
  };
}

/** As kubectl shortens it: `45s`, `12m`, `5h`, `3d`. */
function age(time: string, now: number): string {
  const seconds = Math.floor((now - Date.parse(time)) / 1000);
  if (Number.isNaN(seconds)) return "<invalid>";
  if (seconds < 120) return `${String(Math.max(0, seconds))}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 180) return `${String(minutes)}m`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${String(hours)}h` : `${String(Math.floor(hours / 24))}d`;
}
