/** Of whom a request is: what a partition is drawn by. */
export interface ClientOf {
  readonly token: string;
  readonly user: string;
  readonly userAgent: string;
  readonly path: string;
}

export type Cut = "open" | "stall" | "refuse";

interface Partition {
  readonly cuts: (client: ClientOf) => boolean;
  readonly mode: "stall" | "refuse";
}

/** Which clients cannot reach the server at the moment. */
export class Partitions {
  readonly #partitions = new Set<Partition>();
  readonly #changed: () => void;

  /** `changed` is called when a partition begins or ends. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Returns what heals it. */
  add(cuts: (client: ClientOf) => boolean, mode: "stall" | "refuse"): () => void {
    const partition = { cuts, mode };
    this.#partitions.add(partition);
    this.#changed();
    return () => {
      if (this.#partitions.delete(partition)) this.#changed();
    };
  }

  of(client: ClientOf): Cut {
    const cutting = [...this.#partitions].filter(({ cuts }) => cuts(client));
    if (cutting.some(({ mode }) => mode === "refuse")) return "refuse";
    return cutting.length > 0 ? "stall" : "open";
  }
}
