export { CompactRange, type TreeNode } from "./merkle/compact-range.js";
export { EMPTY_ROOT, leafHash, nodeHash, recordLeaf } from "./merkle/hash.js";
export { consistencyProof, inclusionProof, type NodeId, type NodeReader } from "./merkle/prove.js";
export { verifyConsistency, verifyInclusion } from "./merkle/verify.js";
export {
  checkpointText,
  openCheckpoint,
  parseCheckpoint,
  type Checkpoint,
  type CheckpointTrust,
  type SignedCheckpoint,
} from "./note/checkpoint.js";
export {
  formatVerifierKey,
  isSignedBy,
  parseVerifierKey,
  verifierKey,
  type SignatureType,
  type VerifierKey,
} from "./note/key.js";
export {
  createPrivateKeyFile,
  formatPrivateKey,
  generatePrivateKey,
  parsePrivateKey,
  readPrivateKey,
  signerOf,
  type PrivateKey,
} from "./note/private-key.js";
export { formatProof, parseProof, type TlogProof } from "./note/proof-file.js";
export {
  formatNote,
  formatSignature,
  parseNote,
  parseSignature,
  verifiedSignatures,
  type NoteSignature,
  type SignedNote,
  type VerifiedSignature,
} from "./note/signed-note.js";
export { localCosigner, localSigner, type NoteSigner } from "./note/signer.js";
