import { systemRuntime, type Runtime } from "../system/runtime.js";
import { badAnswer, runCommand, type CommandOptions } from "./command.js";
import type { KeyStore } from "./key-store.js";
import { keyStoreOn, type Document, type KeyPlace, type Written } from "./place.js";

export interface CommandKeyStoreOptions extends CommandOptions {
  /** Clock and pauses, for tests. */
  readonly runtime?: Runtime | undefined;
}

/**
 * Keys in whatever a program keeps them in: a secrets manager, a database. It is given one request each time (names are 64 hex digits, documents
 * are texts to be kept as they are, a revision is what the program likes it to be):
 * `{"v":1,"op":"read","name"}` → `{"document","revision"}`, both null when there is none;
 * `{"v":1,"op":"create","name","document"}` and `{…,"op":"replace",…,"revision"}` → `{"revision"}`, null when the condition did not hold;
 * `{"v":1,"op":"list","after"}` → `{"names"}`: those behind `after`, ascending, as many as it likes, none at the end.
 */
export function commandKeyStore(options: CommandKeyStoreOptions): KeyStore {
  return keyStoreOn(new CommandPlace(options), options.runtime ?? systemRuntime);
}

class CommandPlace implements KeyPlace {
  readonly location: string;
  readonly #options: CommandOptions;

  constructor(options: CommandOptions) {
    this.#options = options;
    this.location = `command:${options.program}`;
  }

  where(name: string): string {
    return name;
  }

  async read(name: string): Promise<Document | null> {
    const { document, revision } = await this.#run({ op: "read", name });
    if (document === null) return null;
    if (typeof document !== "string") throw badAnswer(this.#options.program, "the document, or null");
    return { bytes: Buffer.from(document), revision: this.#text(revision) };
  }

  async create(name: string, bytes: Buffer): Promise<Written> {
    return this.#written(await this.#run({ op: "create", name, document: bytes.toString("utf8") }));
  }

  async replace(name: string, bytes: Buffer, revision: string): Promise<Written> {
    return this.#written(await this.#run({ op: "replace", name, document: bytes.toString("utf8"), revision }));
  }

  async *names(): AsyncGenerator<string, void, undefined> {
    for (let after = ""; ;) {
      const { names } = await this.#run({ op: "list", after });
      if (!Array.isArray(names)) throw badAnswer(this.#options.program, "a list of names");
      if (names.length === 0) return;
      for (const name of names) {
        const text = this.#text(name);
        if (text <= after) throw badAnswer(this.#options.program, "names in ascending order");
        after = text;
        yield text;
      }
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #run(request: object): Promise<Readonly<Record<string, unknown>>> {
    return runCommand(this.#options, { v: 1, ...request });
  }

  #written({ revision }: Readonly<Record<string, unknown>>): Written {
    return revision === null ? "lost" : { revision: this.#text(revision) };
  }

  #text(value: unknown): string {
    if (typeof value === "string" && value !== "") return value;
    throw badAnswer(this.#options.program, "what it was asked for as text");
  }
}
