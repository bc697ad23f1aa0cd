import { ApiFailure, badRequest } from "./failure.js";
import { deepEqual, isObject, stringAt } from "./json.js";

type Container = Record<string, unknown> | unknown[];

/** JSON patch (RFC 6902). The target stays as it was. @throws ApiFailure 400 or 422 */
export function jsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw badRequest("a JSON patch is an array of operations");
  // Under one root key, so that the whole document can be replaced too.
  const holder = { "": structuredClone(target) };
  for (const operation of patch) apply(holder, operation);
  return holder[""];
}

function apply(holder: Record<string, unknown>, operation: unknown): void {
  const path = pointer(operation, "path");
  const value = isObject(operation) ? operation["value"] : undefined;
  switch (stringAt(operation, "op")) {
    case "add":
      add(holder, path, structuredClone(value));
      break;
    case "remove":
      remove(holder, path);
      break;
    case "replace":
      remove(holder, path);
      add(holder, path, structuredClone(value));
      break;
    case "move":
      add(holder, path, remove(holder, pointer(operation, "from")));
      break;
    case "copy":
      add(holder, path, structuredClone(read(holder, pointer(operation, "from"))));
      break;
    case "test":
      if (!deepEqual(read(holder, path), value)) throw unfit(`testing path ${path.join("/")} failed`);
      break;
    case undefined:
    default:
      throw badRequest("unexpected kind of JSON patch operation");
  }
}

function unfit(message: string): ApiFailure {
  return new ApiFailure(422, "Invalid", `the server rejected our request due to an error in our request: ${message}`);
}

function pointer(operation: unknown, key: string): string[] {
  const text = stringAt(operation, key);
  if (text === undefined || (text !== "" && !text.startsWith("/"))) throw badRequest(`JSON patch: bad ${key}`);
  return text.split("/").map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function step(container: unknown, key: string, path: readonly string[]): unknown {
  if (Array.isArray(container)) return /^(0|[1-9]\d*)$/.test(key) ? (container[Number(key)] as unknown) : undefined;
  if (isObject(container)) return Object.hasOwn(container, key) ? container[key] : undefined;
  throw unfit(`there is no ${path.join("/")}`);
}

function read(holder: unknown, path: readonly string[]): unknown {
  const value = path.reduce<unknown>((container, key) => step(container, key, path), holder);
  if (value === undefined) throw unfit(`there is no ${path.join("/")}`);
  return value;
}

function parent(holder: unknown, path: readonly string[]): Container {
  const container = read(holder, path.slice(0, -1).length === 0 ? [""] : path.slice(0, -1));
  if (typeof container !== "object" || container === null) throw unfit(`there is no ${path.join("/")}`);
  return container as Container;
}

function add(holder: Record<string, unknown>, path: readonly string[], value: unknown): void {
  if (path.length === 1) return void (holder[""] = value);
  const container = parent(holder, path);
  const key = path.at(-1) ?? "";
  if (!Array.isArray(container)) return void (container[key] = value);
  const index = key === "-" ? container.length : Number(key);
  if (!Number.isInteger(index) || index < 0 || index > container.length) throw unfit(`no index ${key}`);
  container.splice(index, 0, value);
}

function remove(holder: Record<string, unknown>, path: readonly string[]): unknown {
  const value = read(holder, path);
  if (path.length === 1) return value;
  const container = parent(holder, path);
  const key = path.at(-1) ?? "";
  if (Array.isArray(container)) container.splice(Number(key), 1);
  else Reflect.deleteProperty(container, key);
  return value;
}
