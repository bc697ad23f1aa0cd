/** The same for every copy of this package. */
const BRAND = Symbol.for("@rynxs/event-store:shredded");

/**
 * What a read gives in place of a payload whose key was destroyed. No payload can be mistaken for it, and it is no JSON: it cannot be
 * appended again.
 */
export class Shredded {
  readonly subject: string;
  /** When the subject's keys were destroyed; Unix milliseconds of the clock of whoever did. */
  readonly destroyedAt: number;

  constructor(subject: string, destroyedAt: number) {
    Object.defineProperty(this, BRAND, { value: true });
    this.subject = subject;
    this.destroyedAt = destroyedAt;
  }

  /** For display. */
  toJSON(): { readonly $shredded: { readonly subject: string; readonly destroyed_at: number } } {
    return { $shredded: { subject: this.subject, destroyed_at: this.destroyedAt } };
  }
}

export function isShredded(payload: unknown): payload is Shredded {
  return typeof payload === "object" && payload !== null && BRAND in payload;
}
