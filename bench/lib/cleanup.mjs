/** What must be undone when the run ends, however it ends: last in, first out, each once. */
export class Cleanup {
  #undo = [];

  /** @param {() => unknown} action @returns {() => void} takes it back: it was done already */
  add(action) {
    this.#undo.push(action);
    return () => {
      this.#undo = this.#undo.filter((other) => other !== action);
    };
  }

  async run() {
    for (let action = this.#undo.pop(); action !== undefined; action = this.#undo.pop()) {
      try {
        await action();
      } catch (error) {
        console.error(`cleaning up: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
}
