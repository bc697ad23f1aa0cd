import { startThread, type Answering } from "../../system/thread.js";
import { HASH_BYTES } from "../tiles/layout.js";
import { HashTree, type TreeAt, type TreeBegin } from "./hash-tree.js";
import type { TreeAnswer, TreeMessage } from "./tree-worker.js";

/** Fewer records are done before a thread has started. */
const WORTH_RECORDS = 50_000;
/** Messages that it may have to do. */
const AHEAD = 16;

/** Starts the thread; for tests, something else. */
export type StartTreeThread = () => Answering<TreeMessage, TreeAnswer>;

const realThread: StartTreeThread = () => startThread(new URL("./tree-worker.js", import.meta.url));

/**
 * A tree that is made beside the walk: here as long as it is small, then in a thread of its own, so that it costs the walk next to
 * nothing. Should the thread break, it says so in the end, and the walk is to be done again without.
 */
export class TreeBeside {
  readonly #tree: HashTree;
  readonly #stops: readonly number[];
  readonly #start: StartTreeThread | null;
  #records = 0;
  #thread: Answering<TreeMessage, TreeAnswer> | null = null;
  #answers: Promise<TreeAnswer | null>[] = [];
  #last: TreeAnswer | null = [];

  /** `start`: null for no thread. */
  constructor(begin: TreeBegin, stops: readonly number[], start: StartTreeThread | null = realThread) {
    this.#tree = new HashTree(begin, stops);
    this.#stops = stops;
    this.#start = start;
  }

  /** 32 bytes each; they are its own from then on. */
  async append(hashes: Buffer): Promise<void> {
    this.#records += hashes.length / HASH_BYTES;
    if (this.#thread === null && this.#start !== null && this.#records > WORTH_RECORDS) {
      this.#thread = this.#start();
      this.#answers.push(this.#thread.ask({ begin: this.#tree.state(), stops: this.#stops }));
    }
    if (this.#thread === null) {
      this.#tree.append(hashes);
      return;
    }
    this.#answers.push(this.#thread.ask(hashes));
    if (this.#answers.length > AHEAD) await this.#settle(1);
  }

  /** The tree at the sizes that were asked for; null when that is not known, because the thread broke. */
  async passed(): Promise<ReadonlyMap<number, TreeAt> | null> {
    await this.#settle(this.#answers.length);
    if (this.#last === null) return null;
    const there = this.#last.map(([size, { head, root, roots }]) => {
      return [size, { head, root: Buffer.from(root), roots: roots.map((root) => Buffer.from(root)) }] as const;
    });
    return new Map([...this.#tree.passed, ...there]);
  }

  async close(): Promise<void> {
    await this.#thread?.close();
  }

  async #settle(count: number): Promise<void> {
    for (const answer of this.#answers.splice(0, count)) {
      const passed = await answer;
      if (this.#last !== null) this.#last = passed;
    }
  }
}
