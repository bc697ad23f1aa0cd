import { ConfigError, TrustError } from "../../core/errors.js";
import type { Head } from "../../core/event.js";
import type { EventStore } from "../../stores/port.js";
import { systemRuntime, type Runtime } from "../../system/runtime.js";
import { EMPTY_ROOT, recordLeaf } from "../merkle/hash.js";
import { consistencyProof } from "../merkle/prove.js";
import { checkpointText, type CheckpointTrust } from "../note/checkpoint.js";
import type { VerifierKey } from "../note/key.js";
import type { NoteSigner } from "../note/signer.js";
import { formatNote, parseNote, type NoteSignature } from "../note/signed-note.js";
import { GrowingTree } from "../tiles/growing-tree.js";
import { HASH_BYTES } from "../tiles/layout.js";
import { TlogShelf } from "../tiles/shelf.js";
import { TrustedTiles } from "../tiles/trusted-tiles.js";
import type { Memory } from "./memory.js";
import { originOfPlace } from "./origin.js";
import { forked, goesOnFrom, latestCheckpoint, publish, type Published } from "./publish.js";
import { resumeTree } from "./resume.js";
import { lastSigned, rememberSigned, type Tree } from "./signer-memory.js";

/** A key, and what it remembers of the log. */
export interface CheckpointSigner {
  readonly signer: NoteSigner;
  /** Of this key and this log alone. */
  readonly memory: Memory;
}

export interface CheckpointOptions {
  /** At least one; several while keys are rotated. */
  readonly signers: readonly CheckpointSigner[];
  /** Default: the name of the first key, which a log in a bucket must have from its place. */
  readonly origin?: string | undefined;
  /** Keys that may have signed the stored checkpoint, beside those of the signers. */
  readonly keys?: readonly VerifierKey[] | undefined;
  /** A checkpoint at every multiple of so many events. */
  readonly every?: number | undefined;
  /** And one at the log's end, default true. */
  readonly atEnd?: boolean | undefined;
  /** Make all tiles anew from the log. */
  readonly rebuild?: boolean | undefined;
  /**
   * Asks others to sign too, before a checkpoint is stored. Given the note and what proves that its tree goes on from an older one of that
   * size; gives the note with more signatures.
   */
  readonly cosign?:
    ((note: string, proveFrom: (size: number) => Promise<readonly Buffer[]>) => Promise<string>) | undefined;
  readonly onProgress?: ((progress: { readonly size: number }) => void) | undefined;
  readonly onCheckpoint?: ((checkpoint: Published) => void | Promise<void>) | undefined;
  readonly runtime?: Runtime | undefined;
}

export interface CheckpointReport {
  /** Checkpoints that this run has signed. */
  readonly signed: number;
  /** The latest one that is stored; null when there is none. */
  readonly latest: Published | null;
  /** The log's last record. */
  readonly head: Head;
}

/** Tiles and bundles that are held before they are written. */
const HELD = 64;

/** Signs what a log holds, once. @throws as `Checkpointer.run` */
export async function checkpoint(
  store: EventStore,
  options: CheckpointOptions & { readonly signal?: AbortSignal | undefined },
): Promise<CheckpointReport> {
  return new Checkpointer(store, options).run(options.signal);
}

/**
 * Makes the log's tree and signs it. It goes on from the tiles of the last checkpoint, or, in later runs, from where it came to, so that
 * a run costs what is new. Several of them for one log do no harm.
 */
export class Checkpointer {
  readonly #store: EventStore;
  readonly #options: CheckpointOptions;
  readonly #shelf: TlogShelf;
  readonly #trust: CheckpointTrust & { readonly origin: string };
  #tree: GrowingTree | null = null;
  #head: Head = { seq: -1, hash: "" };
  #published: Published | null = null;
  /** Roots that the tree had at sizes that matter. */
  #passed = new Map<number, Buffer>();
  #signed = 0;

  /** @throws ConfigError; TrustError ORIGIN_MISMATCH */
  constructor(store: EventStore, options: CheckpointOptions) {
    const [first] = options.signers;
    if (first === undefined) throw new ConfigError("a checkpoint needs a signer");
    const { every } = options;
    if (every !== undefined && !(Number.isSafeInteger(every) && every > 0))
      throw new ConfigError(`every must be a positive integer, not ${String(every)}`);
    const origin = options.origin ?? first.signer.key.name;
    const place = originOfPlace(store.location);
    if (options.origin === undefined && place !== null && place !== origin)
      throw new TrustError("ORIGIN_MISMATCH", "the signing key is of another log", {
        facts: { expected: place, actual: origin },
        hint: "make a key for this log (rynxs key generate), or say that this log has that name (--origin)",
      });
    this.#store = store;
    this.#options = options;
    this.#shelf = new TlogShelf(store.derived, options.runtime ?? systemRuntime);
    this.#trust = { keys: [...options.signers.map(({ signer }) => signer.key), ...(options.keys ?? [])], origin };
  }

  /**
   * @throws TrustError ROLLED_BACK, FORKED, TREE_MISMATCH: the log is not the one that was signed; nothing is signed then.
   *   VerificationError at the first bad record, behind the checkpoints (`every`) of the good ones before it; BackendError
   */
  async run(signal?: AbortSignal): Promise<CheckpointReport> {
    try {
      return await this.#run(signal);
    } catch (error) {
      // Tiles may be unwritten: the next run begins with what is stored.
      this.#tree = null;
      this.#published = null;
      this.#passed.clear();
      throw error;
    }
  }

  async #run(signal: AbortSignal | undefined): Promise<CheckpointReport> {
    this.#signed = 0;
    this.#published ??= await latestCheckpoint(this.#shelf, this.#trust, signal);
    const tree = (this.#tree ??= await this.#start(signal));
    const remembered = await this.#remembered();
    const stops = new Set([...remembered.map(({ size }) => size), this.#published?.size ?? 0]);
    this.#pass(tree);
    const report = await this.#store.verify({
      fromSeq: tree.size,
      ...(tree.size > 0 && { anchor: this.#head }),
      segments: true,
      signal,
      onHashes: (hashes) => this.#grow(tree, hashes, stops, signal),
    });
    if (!report.valid) throw report.error;
    await this.#flush(tree, signal);
    await this.#checkReached(tree, remembered);
    if ((this.#options.atEnd ?? true) && tree.size > (this.#published?.size ?? 0)) await this.#sign(tree, signal);
    return { signed: this.#signed, latest: this.#published, head: this.#head };
  }

  /** Where the tree goes on: behind the last checkpoint, whose last record the log must still have. */
  async #start(signal: AbortSignal | undefined): Promise<GrowingTree> {
    const published = this.#published;
    if (published === null || this.#options.rebuild === true) return GrowingTree.empty();
    const seq = published.size - 1;
    const hash = await this.#store.getEventHash(seq);
    if (hash === null) throw rolledBack(published.size, (await this.#store.head()).seq + 1);
    const tree = await resumeTree(this.#shelf, published, recordLeaf(hash), signal);
    if (tree === null) return GrowingTree.empty();
    this.#head = { seq, hash };
    return tree;
  }

  #remembered(): Promise<readonly Tree[]> {
    return Promise.all(this.#options.signers.map(({ memory }) => lastSigned(memory, this.#trust.origin)));
  }

  async #grow(
    tree: GrowingTree,
    hashes: Buffer,
    stops: ReadonlySet<number>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { every = Infinity } = this.#options;
    for (let at = 0; at < hashes.length; at += HASH_BYTES) {
      const hash = hashes.subarray(at, at + HASH_BYTES);
      tree.append(hash);
      this.#head = { seq: tree.size - 1, hash: hash.toString("hex") };
      if (stops.has(tree.size)) {
        this.#pass(tree);
        // It is made anew.
        if (tree.size === this.#published?.size) await this.#shelf.createAll(tree.ofSize(), signal);
      }
      if (tree.fullCount >= HELD) await this.#flush(tree, signal);
      if (tree.size % every === 0 && tree.size > (this.#published?.size ?? 0)) await this.#sign(tree, signal);
    }
    this.#options.onProgress?.({ size: tree.size });
  }

  #pass(tree: GrowingTree): void {
    this.#passed.set(tree.size, tree.root());
  }

  async #flush(tree: GrowingTree, signal: AbortSignal | undefined): Promise<void> {
    await this.#shelf.createAll(tree.takeFull(), signal);
  }

  /** The log reaches what was signed of it before this run, and has it. */
  async #checkReached(tree: GrowingTree, remembered: readonly Tree[]): Promise<void> {
    const published = this.#published?.size ?? 0;
    if (published > tree.size) throw rolledBack(published, tree.size);
    for (const last of remembered) if (last.size > tree.size) throw rolledBack(last.size, tree.size);
    if (this.#published) await this.#checkPublished(tree, this.#published);
    for (const { memory } of this.#options.signers) {
      const last = await lastSigned(memory, this.#trust.origin);
      // Another process may have gone on since.
      if (last.size <= tree.size && !(await this.#isPrefix(last, tree))) throw this.#contradicts(last, tree);
    }
  }

  async #sign(tree: GrowingTree, signal: AbortSignal | undefined): Promise<void> {
    const { origin } = this.#trust;
    const now: Tree = { size: tree.size, root: tree.root() };
    await this.#flush(tree, signal);
    await this.#shelf.createAll(tree.ofSize(), signal);
    this.#pass(tree);
    if (this.#published) await this.#checkPublished(tree, this.#published);
    const text = checkpointText({ origin, ...now });
    const signatures: NoteSignature[] = [];
    for (const { signer, memory } of this.#options.signers) {
      const signature = await memory.exclusively(async () => {
        const last = await lastSigned(memory, origin);
        // It has signed what lies ahead: what lies behind needs no signature of its own.
        if (last.size > now.size) return null;
        if (!(await this.#isPrefix(last, tree))) throw this.#contradicts(last, tree);
        await rememberSigned(memory, origin, now);
        return signer.sign(text);
      });
      if (signature === null) return;
      signatures.push(signature);
    }
    const note = formatNote({ text, signatures });
    const { cosign } = this.#options;
    const proveFrom = (size: number): Promise<readonly Buffer[]> =>
      consistencyProof(size, now.size, new TrustedTiles(this.#shelf, now).read);
    const full = cosign ? await cosign(note, proveFrom) : note;
    if (parseNote(full).text !== text)
      throw new TrustError("SIGNATURE_INVALID", "those who were asked to sign too gave back another text");
    const parts = { shelf: this.#shelf, trust: this.#trust, known: this.#published, signal };
    this.#published = await publish(full, parts);
    this.#signed++;
    await this.#options.onCheckpoint?.(this.#published);
    for (const size of this.#passed.keys()) if (size < now.size) this.#passed.delete(size);
  }

  async #checkPublished(tree: GrowingTree, published: Published): Promise<void> {
    if (published.size > tree.size || (await this.#isPrefix(published, tree))) return;
    for (const last of await this.#remembered())
      if (last.size > 0 && last.size <= tree.size && (await this.#isPrefix(last, tree)))
        throw forked("the stored checkpoint contradicts what this key has signed", {
          expected: last.size,
          actual: published.size,
        });
    throw rewritten(published, "the stored checkpoint");
  }

  /** What the signer remembers is not what the log holds. */
  #contradicts(last: Tree, tree: GrowingTree): TrustError {
    const published = this.#published;
    if (published && published.size <= tree.size)
      return forked("the stored checkpoint, which the log has, contradicts what this key has signed", {
        expected: last.size,
        actual: published.size,
      });
    return rewritten(last, "what this key has signed");
  }

  /** Tiles of the tree are stored wherever it did not pass the size itself. */
  async #isPrefix(older: Tree, tree: GrowingTree): Promise<boolean> {
    if (older.size === 0) return older.root.equals(EMPTY_ROOT);
    const passed = older.size === tree.size ? tree.root() : this.#passed.get(older.size);
    if (passed) return passed.equals(older.root);
    const published = this.#published;
    if (published && older.size < published.size && this.#passed.get(published.size)?.equals(published.root) === true)
      return goesOnFrom(this.#shelf, older, published);
    await this.#shelf.createAll(tree.ofSize());
    return goesOnFrom(this.#shelf, older, { size: tree.size, root: tree.root() });
  }
}

function rolledBack(expected: number, actual: number): TrustError {
  return new TrustError(
    "ROLLED_BACK",
    `the log has ${String(actual)} records; a checkpoint of it was signed at ${String(expected)}`,
    {
      facts: { expected, actual },
      hint: "its end was cut off, or an old copy was put in its place: nothing is signed; restore the missing records",
    },
  );
}

function rewritten({ size }: Tree, what: string): TrustError {
  return new TrustError("TREE_MISMATCH", `the log's first ${String(size)} records are not those of ${what}`, {
    facts: { seq: size - 1 },
    hint: "records were rewritten, with all their hashes, after they were signed: nothing is signed; keep the log as evidence",
  });
}
