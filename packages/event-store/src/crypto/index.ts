/** Encryption of payloads, a key for each subject, so that a subject's data can be destroyed in a log that nobody may change. */
export {
  encrypted,
  type EncryptedOptions,
  type EncryptedStore,
  type EventOfSubject,
  type Readable,
} from "./encrypted.js";
export { Keyring, type DataKey, type KeyringOptions, type RotateOptions, type RotateReport } from "./keyring.js";
export type { KeyStore, StoredKeys } from "./key-store.js";
export type { DestroyedKeys, KeyRecord, LiveKeys, WrappedKey } from "./key-record.js";
export { fileKeyStore, type FileKeyStoreOptions } from "./file-keys.js";
export { objectKeyStore, type ObjectKeyStoreOptions } from "./object-keys.js";
export { commandKeyStore, type CommandKeyStoreOptions } from "./command-keys.js";
export type { CommandOptions } from "./command.js";
export { fileWrapper, localWrapper, type KeyContext, type Wrapper } from "./wrapper.js";
export { commandWrapper, type CommandWrapperOptions } from "./command-wrapper.js";
export { isShredded, Shredded } from "./shredded.js";
export { countEncrypted, shred, type ShredOptions, type ShredReport } from "./shred.js";
export { SUBJECT_SHREDDED, type SubjectShredded } from "./shred-event.js";
export { pseudonymOf } from "./subject.js";
export { openKeyring, openKeyStore, openWrapper, subjectFrom, type KeyOverrides } from "./open.js";
