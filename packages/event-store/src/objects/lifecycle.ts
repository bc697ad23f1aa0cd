/**
 * The lifecycle rules of a bucket: one XML document for all that use the bucket, read and replaced as a whole. Failures as of
 * `ObjectStore`; all of these calls try again what may pass.
 */
export interface BucketLifecycle {
  /** Null when there are no rules. */
  get(options?: LifecycleOptions): Promise<LifecycleDocument | null>;
  /** Replaces all rules, or removes them with null. Nothing makes it conditional: of two writers, the last one wins. */
  put(document: LifecycleDocument | null, options?: LifecycleOptions): Promise<void>;
}

export interface LifecycleOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface LifecycleDocument {
  readonly xml: string;
  /**
   * AWS's `x-amz-transition-default-minimum-object-size`, beside the document: whether objects below 128 KB move to other classes.
   * It is part of what the rules mean, and is lost unless it is given back with them.
   */
  readonly minimumSize?: string | undefined;
}
