import type { StoredObject } from "./port.js";

/** One version of a key, or a delete marker: what hides the versions below it from GET and LIST. */
export interface ObjectVersion {
  readonly key: string;
  /** `null` (the word) is that of an object which was written without versioning. */
  readonly versionId: string;
  /** GET and LIST see this one. */
  readonly latest: boolean;
  readonly deleteMarker: boolean;
  /** Bytes; 0 of a delete marker. */
  readonly size: number;
  /** Empty for a delete marker. */
  readonly etag: string;
  /** By the backend's clock; Unix milliseconds. */
  readonly modifiedAt?: number | undefined;
}

/** Where a page of versions begins: behind this one; without a `versionId`, behind all versions of the key. */
export interface VersionMarker {
  readonly key: string;
  readonly versionId?: string | undefined;
}

export interface VersionPage {
  readonly versions: readonly ObjectVersion[];
  /** Where the next page begins; null when this is the last. */
  readonly next: VersionMarker | null;
}

/**
 * All versions of a bucket's objects. Failures as of `ObjectStore`; all of these calls try again what may pass. A bucket that was never
 * versioned has one version of each key, `null`.
 */
export interface ObjectVersions {
  /** One page, in ascending order of keys, the newest version of a key first. */
  list(options: {
    readonly prefix: string;
    readonly after?: VersionMarker | undefined;
    readonly signal?: AbortSignal | undefined;
  }): Promise<VersionPage>;
  /** Null: there is no such version, or it is a delete marker. */
  get(
    key: string,
    versionId: string,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<StoredObject | null>;
}
