import type { JsonText } from "@rynxs/event-store";

/** A way from the whole of a line to one value in it. */
export interface Path {
  /** As it was written: `$.items[0]["unit price"]`. */
  readonly text: string;
  readonly steps: readonly (string | number)[];
}

const STEP = /\.([A-Za-z_][A-Za-z0-9_-]*)|\[(0|[1-9][0-9]{0,8})\]|\[("(?:[^"\\]|\\.)*")\]/y;

/** `$`, then any number of `.name`, `[0]` and `["any key"]`. Null for anything else. */
export function parsePath(text: string): Path | null {
  if (!text.startsWith("$")) return null;
  const steps: (string | number)[] = [];
  for (let at = 1; at < text.length; at = STEP.lastIndex) {
    STEP.lastIndex = at;
    const match = STEP.exec(text);
    if (match === null) return null;
    const [, name, index, key] = match;
    if (index !== undefined) steps.push(Number(index));
    else {
      const step = name ?? parseKey(key ?? "");
      if (step === null) return null;
      steps.push(step);
    }
  }
  return { text, steps };
}

function parseKey(quoted: string): string | null {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return null;
  }
}

/** Undefined when there is no such value. A null is a value. */
export function follow({ steps }: Path, line: JsonText): JsonText | undefined {
  return steps.reduce<JsonText | undefined>((value, step) => value?.get(step), line);
}
