import { dirname, resolve } from "node:path";
import { KubeError } from "../errors.js";
import { readConfigFile } from "./credentials.js";

export type Fields = Readonly<Record<string, unknown>>;

/** Reads fields of a kubeconfig; whatever is wrong with one becomes an error that names it, without its value. */
export class FieldReader {
  readonly file: string;
  readonly #where: string;
  readonly #fields: Fields;

  constructor(file: string, where: string, value: unknown) {
    this.file = file;
    this.#where = where;
    if (typeof value !== "object" || value === null || Array.isArray(value)) this.refuse("is no mapping");
    this.#fields = value as Fields;
  }

  refuse(problem: string, hint?: string): never {
    throw new KubeError("INVALID_CONFIG", `${this.file}: ${this.#where} ${problem}`, {
      facts: { file: this.file },
      ...(hint === undefined ? {} : { hint }),
    });
  }

  has(name: string): boolean {
    const value = this.#fields[name];
    return value !== undefined && value !== null && value !== "";
  }

  raw(name: string): unknown {
    return this.#fields[name];
  }

  /** Absent, null and empty are one. */
  text(name: string): string | undefined {
    if (!this.has(name)) return undefined;
    const value = this.#fields[name];
    if (typeof value !== "string") this.refuse(`has a ${name} that is no string`);
    return value;
  }

  flag(name: string): boolean {
    const value = this.#fields[name] ?? false;
    if (typeof value !== "boolean") this.refuse(`has a ${name} that is neither true nor false`);
    return value;
  }

  list(name: string): readonly unknown[] {
    const value = this.#fields[name] ?? [];
    if (!Array.isArray(value)) this.refuse(`has ${name} that are no list`);
    return value;
  }

  /** Relative to the folder of the kubeconfig. */
  path(name: string): string | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : resolve(dirname(this.file), value);
  }

  /** PEM from `NAME-data` (base64), which wins, or from the file that `NAME` names: called for each use. */
  pem(name: string): (() => Promise<string>) | undefined {
    const data = this.text(`${name}-data`);
    if (data !== undefined) {
      const pem = Buffer.from(data, "base64").toString("utf8");
      if (!pem.includes("-----BEGIN ")) this.refuse(`has ${name}-data that are not PEM in base64`);
      return () => Promise.resolve(pem);
    }
    const file = this.path(name);
    return file === undefined ? undefined : () => readConfigFile(file, name);
  }
}
