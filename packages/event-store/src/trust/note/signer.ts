import { publicKeyOf, signWith, verifierKey, type VerifierKey } from "./key.js";
import { cosignedMessage, type NoteSignature } from "./signed-note.js";

/** Signs notes, wherever its private key is: in a file, in the environment, behind a command. */
export interface NoteSigner {
  readonly key: VerifierKey;
  /** @throws EventStoreError when it cannot, or will not, sign */
  sign(text: string): Promise<NoteSignature>;
}

/** A key of its own, in memory. `seed`: 32 bytes. */
export function localSigner(name: string, seed: Uint8Array): NoteSigner {
  const key = verifierKey(name, "ed25519", publicKeyOf(seed));
  return {
    key,
    sign: (text) => Promise.resolve({ name, keyId: key.id, signature: signWith(seed, Buffer.from(text)) }),
  };
}

/** A witness's key: signs with the time, in seconds since the epoch. */
export function localCosigner(name: string, seed: Uint8Array, now: () => number): NoteSigner {
  const key = verifierKey(name, "cosignature/v1", publicKeyOf(seed));
  return {
    key,
    sign: (text) => {
      const time = Buffer.alloc(8);
      const seconds = Math.floor(now() / 1000);
      time.writeBigUInt64BE(BigInt(seconds));
      const signature = Buffer.concat([time, signWith(seed, cosignedMessage(text, seconds))]);
      return Promise.resolve({ name, keyId: key.id, signature });
    },
  };
}
