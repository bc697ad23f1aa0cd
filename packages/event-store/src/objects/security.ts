/** Settings of a bucket that say who may change what is in it. */
export const BUCKET_SETTINGS = ["policy", "versioning", "object-lock", "public-access-block", "encryption"] as const;
export type BucketSetting = (typeof BUCKET_SETTINGS)[number];

/** What a server says of a setting. `detail` is for people. */
export type SettingAnswer =
  /** As the server has it: JSON of a policy, XML of everything else. */
  | { readonly kind: "set"; readonly document: string }
  | { readonly kind: "unset" }
  /** The server does not know the setting. */
  | { readonly kind: "unsupported"; readonly detail: string }
  /** The credentials may not ask. */
  | { readonly kind: "denied"; readonly detail: string };

/** What there is to know about a bucket's protection. Failures as of `ObjectStore`, but for those that are answers here. */
export interface BucketSecurity {
  ask(setting: BucketSetting, options?: { readonly signal?: AbortSignal | undefined }): Promise<SettingAnswer>;
  /** Writes `key` without a condition, over whatever is there: only for a key that nobody reads. */
  overwrite(
    key: string,
    body: Uint8Array,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<"stored" | "denied">;
}
