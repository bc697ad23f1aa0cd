import type * as DuckDb from "@duckdb/node-api";
import type { DuckDBType, DuckDBValue } from "@duckdb/node-api";

type Package = typeof DuckDb;

/** Values of a result as text, without losing a digit. */
export class Values {
  readonly #duckdb: Package;

  constructor(duckdb: Package) {
    this.#duckdb = duckdb;
  }

  /** For a table or a CSV field: strings as they are, nested values as JSON. Null for null. */
  text(value: DuckDBValue, type: DuckDBType): string | null {
    if (value === null) return null;
    if (typeof value === "string") return value;
    if (typeof value === "number") return String(shortest(value, type));
    return this.#isNested(value) ? this.json(value, type) : String(value);
  }

  /**
   * JSON text on one line. Integers and decimals of any size are numbers; what JSON has no number for, times, UUIDs and blobs are
   * strings as DuckDB shows them; a map is an array of {"key","value"}; DuckDB's own JSON stays what it is.
   */
  json(value: DuckDBValue, type: DuckDBType): string {
    const { DuckDBDecimalValue } = this.#duckdb;
    if (value === null) return "null";
    if (typeof value === "string")
      return type.alias === "JSON" ? value.replace(/[\r\n]+/g, " ") : JSON.stringify(value);
    if (typeof value === "number") return Number.isFinite(value) ? String(shortest(value, type)) : `"${String(value)}"`;
    if (typeof value === "boolean" || typeof value === "bigint" || value instanceof DuckDBDecimalValue)
      return String(value);
    return this.#isNested(value) ? this.#nested(value, type) : JSON.stringify(String(value));
  }

  #isNested(value: DuckDBValue): boolean {
    const { DuckDBListValue, DuckDBArrayValue, DuckDBStructValue, DuckDBMapValue, DuckDBUnionValue } = this.#duckdb;
    const kinds = [DuckDBListValue, DuckDBArrayValue, DuckDBStructValue, DuckDBMapValue, DuckDBUnionValue];
    return kinds.some((kind) => value instanceof kind);
  }

  #nested(value: DuckDBValue, type: DuckDBType): string {
    const d = this.#duckdb;
    if ((value instanceof d.DuckDBListValue || value instanceof d.DuckDBArrayValue) && "valueType" in type) {
      return `[${value.items.map((item) => this.json(item, type.valueType)).join(",")}]`;
    }
    if (value instanceof d.DuckDBStructValue && type instanceof d.DuckDBStructType) {
      const members = type.entryNames.map(
        (name, i) => [name, value.entries[name] ?? null, type.entryTypes[i]] as const,
      );
      return `{${members.map(([name, member, of]) => `${JSON.stringify(name)}:${this.json(member, of ?? d.ANY)}`).join(",")}}`;
    }
    if (value instanceof d.DuckDBMapValue && type instanceof d.DuckDBMapType) {
      const { keyType, valueType } = type;
      const entries = value.entries.map(
        ({ key, value: of }) => `{"key":${this.json(key, keyType)},"value":${this.json(of, valueType)}}`,
      );
      return `[${entries.join(",")}]`;
    }
    if (value instanceof d.DuckDBUnionValue && type instanceof d.DuckDBUnionType) {
      return this.json(value.value, type.memberTypeForTag(value.tag));
    }
    return JSON.stringify(String(value));
  }
}

/** A float has fewer digits than the double that holds it here. */
function shortest(value: number, type: DuckDBType): number {
  if (type.toString() !== "FLOAT") return value;
  const precisions = [1, 2, 3, 4, 5, 6, 7, 8];
  return (
    precisions.map((digits) => Number(value.toPrecision(digits))).find((short) => Math.fround(short) === value) ?? value
  );
}
