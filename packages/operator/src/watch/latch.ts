import { KubeError } from "../kube/errors.js";

/** Closed until it is opened, once and for all. */
export class Latch {
  readonly #waiting = new Set<() => void>();
  #isOpen = false;

  get isOpen(): boolean {
    return this.#isOpen;
  }

  open(): void {
    this.#isOpen = true;
    for (const go of this.#waiting) go();
    this.#waiting.clear();
  }

  /** @throws KubeError ABORTED */
  async wait(signal?: AbortSignal): Promise<void> {
    if (this.#isOpen) return;
    await new Promise<void>((done, fail) => {
      const aborted = (): void => {
        this.#waiting.delete(go);
        fail(new KubeError("ABORTED", "waiting was aborted", { cause: signal?.reason }));
      };
      const go = (): void => {
        signal?.removeEventListener("abort", aborted);
        done();
      };
      if (signal?.aborted === true) {
        aborted();
        return;
      }
      signal?.addEventListener("abort", aborted, { once: true });
      this.#waiting.add(go);
    });
  }
}
