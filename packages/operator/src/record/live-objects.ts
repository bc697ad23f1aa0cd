import type { Observation } from "./observation.js";

/** What is kept of an object that exists, as far as lists and watches have told. */
export interface LiveObject extends Pick<Observation, "key" | "subject" | "status"> {
  /** Seq that its status says it is recorded at; −1 when it says none. */
  readonly reportedSeq: number;
}

/** The objects of one scope that exist: what the log is compared with. */
export class LiveObjects {
  readonly #objects = new Map<string, LiveObject>();
  /** At least one list has been seen to its end. */
  listed = false;

  has(key: string): boolean {
    return this.#objects.has(key);
  }

  values(): Iterable<LiveObject> {
    return this.#objects.values();
  }

  /** The object that was known under this name is another than this one. */
  isReplaced({ key, subject }: Observation): boolean {
    const uid = this.#objects.get(key)?.subject.uid;
    return uid !== undefined && subject.uid !== undefined && uid !== subject.uid;
  }

  note({ key, subject, status }: Observation, reportedSeq: number): void {
    this.#objects.set(key, { key, subject, status, reportedSeq });
  }

  /** It may be another object by now. */
  doubt(key: string): void {
    const known = this.#objects.get(key);
    if (known) this.#objects.set(key, { ...known, subject: { ...known.subject, uid: undefined } });
  }

  gone(key: string): void {
    this.#objects.delete(key);
  }

  /** Those that a list did not show are gone. */
  keepOnly(keys: ReadonlySet<string>): void {
    this.listed = true;
    for (const key of this.#objects.keys()) if (!keys.has(key)) this.#objects.delete(key);
  }
}
