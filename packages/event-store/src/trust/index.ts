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
export {
  checkpoint,
  Checkpointer,
  type CheckpointOptions,
  type CheckpointReport,
  type CheckpointSigner,
} from "./checkpoint/checkpointer.js";
export { fileMemory, processMemory, stateDirectory, stateFileName, type Memory } from "./checkpoint/memory.js";
export { originFor, originOfPlace } from "./checkpoint/origin.js";
export { type Published } from "./checkpoint/publish.js";
export { type Tree } from "./checkpoint/signer-memory.js";
export {
  commandSigner,
  generateKeyFile,
  keyFileSigner,
  keyTextSigner,
  type CommandSignerOptions,
} from "./checkpoint/signers.js";
export {
  formatConsistencyProof,
  isConsistencyProof,
  parseConsistencyProof,
  type ConsistencyProof,
} from "./proof/consistency-file.js";
export { proveConsistency, proveInclusion, type ProveOptions } from "./proof/prove.js";
export { verifyConsistencyProof, verifyProof, type ProofTrust, type ProvenRecord } from "./proof/verify-proof.js";
export { formatTlogPath, parseTlogPath, partialTiles, type TileId, type TlogPath } from "./tiles/layout.js";
export { GrowingTree, type TlogObject, type TreeEdge } from "./tiles/growing-tree.js";
export { TlogShelf } from "./tiles/shelf.js";
export { TrustedTiles } from "./tiles/trusted-tiles.js";
export { inclusionChecker } from "./verify/inclusion-checker.js";
export { verifyTrust, type TrustOptions, type TrustReport } from "./verify/verify-trust.js";
export { cosign, type Cosignature, type CosignOptions, type WitnessAddress } from "./witness/cosign.js";
export {
  gatherCosignatures,
  withCosignatures,
  type Gathered,
  type GatherOptions,
  type WitnessFailure,
} from "./witness/gather.js";
export { checkQuorum } from "./witness/quorum.js";
export { formatAddCheckpoint, parseAddCheckpoint, type AddCheckpoint } from "./witness/request.js";
export { serveWitness, type WitnessAnswered, type WitnessServer, type WitnessServerOptions } from "./witness/server.js";
export { openWitnessDirectory, type WitnessDirectory } from "./witness/state-directory.js";
export { Witness, type WitnessAnswer, type WitnessOptions, type WitnessState } from "./witness/witness.js";
export { parseLogList } from "./witness/log-list.js";
export { audit, type AuditOptions } from "./audit/audit.js";
export type * from "./audit/report.js";
export type { SeqList } from "./audit/seq-list.js";
