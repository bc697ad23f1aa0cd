/** `GOVERNANCE`: whoever has the right to bypass it may delete before the time. `COMPLIANCE`: nobody may, the account's root neither. */
export const RETENTION_MODES = ["GOVERNANCE", "COMPLIANCE"] as const;
export type RetentionMode = (typeof RETENTION_MODES)[number];

/** Until when a version of an object cannot be deleted. */
export interface Retention {
  readonly mode: RetentionMode;
  /** Unix milliseconds. */
  readonly until: number;
}

export interface VersionOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Object Lock of single versions of objects: WORM. Failures as of `ObjectStore`, and NO_OBJECT_LOCK where the server or the bucket has
 * none; all of these calls try again what may pass.
 */
export interface ObjectLocks {
  /** `none`: it is not retained. Null: there is no such version. */
  retention(key: string, versionId: string, options?: VersionOptions): Promise<Retention | "none" | null>;
  /** Whether the version is held, for as long as nobody lifts that. Null: there is no such version. */
  legalHold(key: string, versionId: string, options?: VersionOptions): Promise<boolean | null>;
  /** False: there is no such version. */
  setLegalHold(key: string, versionId: string, on: boolean, options?: VersionOptions): Promise<boolean>;
}
