import type { Cause } from "./failure.js";
import { stringify } from "./json.js";

function shown(value: unknown): string {
  return value === undefined ? "null" : stringify(value);
}

export function required(field: string, detail = ""): Cause {
  return {
    reason: "FieldValueRequired",
    message: detail === "" ? "Required value" : `Required value: ${detail}`,
    field,
  };
}

export function wrong(field: string, value: unknown, detail: string): Cause {
  return { reason: "FieldValueInvalid", message: `Invalid value: ${shown(value)}: ${detail}`, field };
}

export function wrongType(field: string, is: string, must: string): Cause {
  const message = `Invalid value: "${is}": ${field} in body must be of type ${must}: "${is}"`;
  return { reason: "FieldValueTypeInvalid", message, field };
}

export function unsupported(field: string, value: unknown, allowed: readonly unknown[]): Cause {
  const message = `Unsupported value: ${shown(value)}: supported values: ${allowed.map(shown).join(", ")}`;
  return { reason: "FieldValueNotSupported", message, field };
}

export function duplicate(field: string, value: unknown): Cause {
  return { reason: "FieldValueDuplicate", message: `Duplicate value: ${shown(value)}`, field };
}

export function tooLong(field: string, limit: number, unit = "bytes"): Cause {
  return { reason: "FieldValueTooLong", message: `Too long: may not be more than ${String(limit)} ${unit}`, field };
}

export function tooMany(field: string, count: number, limit: number): Cause {
  const message = `Too many: ${String(count)}: must have at most ${String(limit)} items`;
  return { reason: "FieldValueTooMany", message, field };
}
