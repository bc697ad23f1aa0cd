/** Objects that must be restored before they can be read. Failures as of `ObjectStore`; all of these calls try again what may pass. */
export interface ObjectArchive {
  /** Null: there is no such object. */
  state(key: string, options?: { readonly signal?: AbortSignal | undefined }): Promise<ArchiveState | null>;
  /** Asks for a copy that can be read, or for one that is there to be kept longer. It may be asked for any number of times. */
  restore(key: string, request: RestoreRequest): Promise<RestoreAnswer>;
}

export interface ArchiveState {
  readonly storageClass: string;
  /** `archived`: a GET fails. `restoring`: a copy is being made. `readable`: a GET works, for an archived object up to `readableUntil`. */
  readonly state: "archived" | "restoring" | "readable";
  /** Unix milliseconds. */
  readonly readableUntil?: number | undefined;
}

export const RESTORE_TIERS = ["Standard", "Bulk", "Expedited"] as const;
export type RestoreTier = (typeof RESTORE_TIERS)[number];

export interface RestoreRequest {
  /** How long the copy is kept. Undefined for INTELLIGENT_TIERING, whose objects are moved back instead of copied. */
  readonly days: number | undefined;
  readonly tier: RestoreTier;
  readonly signal?: AbortSignal | undefined;
}

/** `asked`: it has begun. `under-way`: it had begun before. `prolonged`: a copy is there, and is kept longer. */
export type RestoreAnswer = "asked" | "under-way" | "prolonged";
