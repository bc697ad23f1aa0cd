import { CompactRange } from "../merkle/compact-range.js";
import { recordLeaf } from "../merkle/hash.js";
import type { Checkpoint } from "../note/checkpoint.js";
import { treeMismatch } from "./findings.js";
import type { AuditFinding, CheckpointFacts } from "./report.js";

/**
 * Whether records that are read from the first one on have the roots that were signed. The one place where an audit looks at the tree: one that
 * does not begin at the first record leaves it unchecked.
 */
export class TreeWatch {
  readonly #range: CompactRange = CompactRange.empty();
  readonly #sizes: ReadonlySet<number>;
  readonly #largest: number;
  readonly #roots = new Map<number, Buffer>();

  constructor(checkpoints: readonly Checkpoint[]) {
    this.#sizes = new Set(checkpoints.map(({ size }) => size));
    this.#largest = Math.max(0, ...this.#sizes);
    this.#note();
  }

  /** The next record, if it is that: behind a gap there is no tree any more. */
  add(seq: number, eventHash: string): void {
    if (seq !== this.#range.size || seq >= this.#largest) return;
    this.#range.append(recordLeaf(eventHash));
    this.#note();
  }

  verdict(checkpoint: Checkpoint | null): CheckpointFacts["tree"] {
    const root = checkpoint === null ? undefined : this.#roots.get(checkpoint.size);
    if (root === undefined) return "not_checked";
    return root.equals((checkpoint as Checkpoint).root) ? "matches" : "differs";
  }

  finding(checkpoint: Checkpoint): AuditFinding | null {
    const root = this.#roots.get(checkpoint.size);
    return root === undefined || root.equals(checkpoint.root) ? null : treeMismatch(checkpoint, root);
  }

  #note(): void {
    if (this.#sizes.has(this.#range.size)) this.#roots.set(this.#range.size, this.#range.root());
  }
}
