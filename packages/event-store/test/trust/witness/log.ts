import {
  checkpointText,
  CompactRange,
  consistencyProof,
  formatAddCheckpoint,
  formatNote,
  leafHash,
  localSigner,
  type NodeReader,
  type NoteSigner,
  type WitnessState,
} from "../../../src/trust/index.js";

/** A log with checkpoints of any of its sizes. */
export interface TestLog {
  readonly signer: NoteSigner;
  root(size: number): Buffer;
  text(size: number): string;
  note(size: number, ...more: NoteSigner[]): Promise<string>;
  proof(from: number, to: number): Promise<Buffer[]>;
  /** The body of a request that is in order. */
  request(oldSize: number, size: number): Promise<string>;
}

/** `flavour`: another one makes another tree under the same name and key. From `forkAt` on, if given. */
export function testLog(origin: string, leaves = 40, flavour = "", forkAt = 0): TestLog {
  const hashes = Array.from({ length: leaves }, (_, i) =>
    leafHash(Buffer.from(`leaf ${String(i)}${i >= forkAt ? flavour : ""}`)),
  );
  const roots = new Map<string, Buffer>();
  const rootOf = (from: number, to: number): Buffer => {
    const key = `${String(from)} ${String(to)}`;
    const root = roots.get(key) ?? madeOf(from, to);
    roots.set(key, root);
    return root;
  };
  const madeOf = (from: number, to: number): Buffer => {
    const range = CompactRange.empty();
    for (const leaf of hashes.slice(from, to)) range.append(leaf);
    return range.root();
  };
  const read: NodeReader = (nodes) =>
    Promise.resolve(nodes.map(({ level, index }) => rootOf(index * 2 ** level, (index + 1) * 2 ** level)));
  const signer = localSigner(origin, Buffer.alloc(32, origin));
  const log: TestLog = {
    signer,
    root: (size) => rootOf(0, size),
    text: (size) => checkpointText({ origin, size, root: rootOf(0, size) }),
    note: async (size, ...more) => {
      const text = log.text(size);
      return formatNote({ text, signatures: await Promise.all([signer, ...more].map((each) => each.sign(text))) });
    },
    proof: (from, to) => consistencyProof(from, to, read),
    request: async (oldSize, size) =>
      formatAddCheckpoint({ oldSize, proof: await log.proof(oldSize, size), checkpoint: await log.note(size) }),
  };
  return log;
}

/** A state whose next write can be made to fail, before it took effect or behind. */
export class TestState implements WitnessState {
  readonly notes = new Map<string, string>();
  writes = 0;
  fail: "before" | "behind" | null = null;

  read(origin: string): Promise<string | null> {
    return Promise.resolve(this.notes.get(origin) ?? null);
  }

  async write(origin: string, note: string): Promise<void> {
    // others may run meanwhile
    await new Promise(setImmediate);
    this.writes++;
    const fail = this.fail;
    this.fail = null;
    if (fail === "before") throw new Error("no space");
    this.notes.set(origin, note);
    if (fail === "behind") throw new Error("no sync");
  }
}
