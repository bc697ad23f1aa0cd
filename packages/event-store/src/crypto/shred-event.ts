/** Type of the event that records that a subject's keys were destroyed. Its own payload is never encrypted. */
export const SUBJECT_SHREDDED = "SubjectShredded";

/** Payload of a `SubjectShredded` event, whose aggregateId is the subject, or its pseudonym. */
export interface SubjectShredded {
  /** Names this very destruction, as the tombstone in the key store does. */
  readonly shred_id: string;
  /** Unix milliseconds. */
  readonly destroyed_at: number;
  /** How many versions of the subject's key were destroyed. */
  readonly key_versions: number;
  /** As it was given: it stays in the log for ever, in the clear. */
  readonly reason?: string;
}
