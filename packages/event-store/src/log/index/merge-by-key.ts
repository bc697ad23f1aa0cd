import { compareCodePoints } from "../../core/json/strings.js";

/** What several sources, each in order of its keys, have under each key, in order of keys and then of sources. */
export async function* mergeByKey<T>(
  sources: readonly AsyncIterable<readonly T[]>[],
  keyOf: (item: T) => string,
): AsyncGenerator<{ readonly key: string; readonly found: readonly { readonly item: T; readonly source: number }[] }> {
  const cursors = sources.map((source) => new Cursor(source, keyOf));
  try {
    await Promise.all(cursors.map((cursor) => cursor.fill()));
    for (;;) {
      const key = leastKey(cursors);
      if (key === null) return;
      const found: { item: T; source: number }[] = [];
      for (const [source, cursor] of cursors.entries()) {
        if (cursor.key !== key) continue;
        found.push({ item: cursor.take(), source });
        if (cursor.isEmpty()) await cursor.fill();
      }
      yield { key, found };
    }
  } finally {
    await Promise.all(cursors.map((cursor) => cursor.end()));
  }
}

function leastKey(cursors: readonly { readonly key: string | null }[]): string | null {
  let least: string | null = null;
  for (const { key } of cursors) if (key !== null && (least === null || compareCodePoints(key, least) < 0)) least = key;
  return least;
}

class Cursor<T> {
  readonly #source: AsyncIterator<readonly T[]>;
  readonly #keyOf: (item: T) => string;
  #items: readonly T[] = [];
  #at = 0;
  #key: string | null = null;

  constructor(source: AsyncIterable<readonly T[]>, keyOf: (item: T) => string) {
    this.#source = source[Symbol.asyncIterator]();
    this.#keyOf = keyOf;
  }

  /** Of its next item; null when it has to be filled, or has ended. */
  get key(): string | null {
    return this.#key;
  }

  isEmpty(): boolean {
    return this.#key === null;
  }

  take(): T {
    const item = this.#items[this.#at++] as T;
    this.#look();
    return item;
  }

  async fill(): Promise<void> {
    while (this.#key === null) {
      const next = await this.#source.next();
      if (next.done === true) return;
      [this.#items, this.#at] = [next.value, 0];
      this.#look();
    }
  }

  async end(): Promise<void> {
    await this.#source.return?.();
  }

  #look(): void {
    const item = this.#items[this.#at];
    this.#key = item === undefined ? null : this.#keyOf(item);
  }
}
