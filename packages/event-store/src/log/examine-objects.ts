import { EventStoreError } from "../core/errors.js";
import type { ObjectStore, PutOutcome } from "../objects/port.js";
import { backOff, systemRuntime, type Runtime } from "../system/runtime.js";
import { PUT_ID } from "./proof.js";

/** One finding about a store. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** What was seen. */
  readonly detail: string;
  /** What to do when it is not ok, or what is advised. */
  readonly hint?: string;
  /**
   * Of what protects a log from others and is no condition of using it: such a check is always `ok`. `ok`: in force. `advice`: not, and
   * the hint says what to do. `unsupported`: the server does not know it. `denied`: the credentials may not ask.
   */
  readonly status?: "ok" | "advice" | "unsupported" | "denied";
}

/** A finding as it comes out of a check: what was seen, or what is wrong and what to do about it. */
export type Finding = string | { readonly wrong: string; readonly hint: string };

/** Runs one check; what it throws is its finding, too. */
export async function check(name: string, look: () => Promise<Finding>): Promise<Check> {
  try {
    const finding = await look();
    if (typeof finding === "string") return { name, ok: true, detail: finding };
    return { name, ok: false, detail: finding.wrong, hint: finding.hint };
  } catch (error) {
    if (!(error instanceof EventStoreError)) throw error;
    return {
      name,
      ok: false,
      detail: `${error.code}: ${error.message}`,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    };
  }
}

const WRITERS = 8;
const RACES = 4;
/** A clock further off than this makes timestamps of different writers hard to compare; servers refuse 15 minutes. */
const MAX_SKEW_MS = 60_000;
/** Attempts of a put that is answered "unknown" again and again. */
const ATTEMPTS = 6;

const UNSAFE_HINT =
  "do not keep a log here: two writers could overwrite each other unnoticed. Use a server that honours If-None-Match, and a bucket without versioning";

/**
 * Whether an object store does what a log needs of it, tried on probes under `{root}_probe-…` that are removed in the
 * end. Ends early, with false, when the store cannot be reached, listed or written at all.
 */
export async function* examineObjects(
  objects: ObjectStore,
  root: string,
  runtime: Runtime = systemRuntime,
): AsyncGenerator<Check, boolean, undefined> {
  const probes = new Probes(objects, root, runtime);
  try {
    const reachable = await check("reachable", async () => {
      await objects.list({ prefix: root, maxKeys: 1 });
      return `${objects.identity} answers; the credentials may list it`;
    });
    yield reachable;
    if (!reachable.ok) return false;
    const key = probes.key("a");
    const written = await check("write", async () => {
      const { outcome } = await probes.put(key, "first");
      return outcome === "stored"
        ? "a new object was stored"
        : { wrong: "a new key was said to exist already", hint: UNSAFE_HINT };
    });
    yield written;
    if (!written.ok) return false;
    yield await check("create only once", () => createOnce(probes, key));
    yield await check("read", () => readBack(probes, key));
    yield await check("list after write", () => listAfterWrite(objects, key));
    yield await check(`race of ${String(WRITERS)} writers`, () => races(probes));
    yield await check("replace if unchanged", () => replaceIfMatch(probes, key));
    yield await check("delete", () => probes.removeAll());
    yield await check("clock", () => Promise.resolve(clock(objects.clockSkewMs)));
    return true;
  } finally {
    await probes.removeAll().catch(() => undefined);
  }
}

async function createOnce(probes: Probes, key: string): Promise<Finding> {
  const { outcome } = await probes.put(key, "second");
  if (outcome === "stored")
    return { wrong: "If-None-Match is ignored: an existing object was overwritten", hint: UNSAFE_HINT };
  const body = await probes.read(key);
  if (body?.text !== "first") return { wrong: "the refused put changed the object", hint: UNSAFE_HINT };
  return "the second put of a key was refused (412)";
}

async function readBack(probes: Probes, key: string): Promise<Finding> {
  const found = await probes.read(key);
  if (found === null)
    return {
      wrong: "an object just written was not found",
      hint: "the store must be strongly consistent: do not put a cache or replica in front of it",
    };
  if (found.text === "first" && found.putId === "first") return "body and metadata came back as they were written";
  return {
    wrong:
      found.text === "first" ? "the object's metadata (x-amz-meta-put-id) was lost" : "the object's body was changed",
    hint: "without both, an append whose answer was lost cannot be told from another writer's: use another server, or remove the proxy that changes them",
  };
}

async function listAfterWrite(objects: ObjectStore, key: string): Promise<Finding> {
  const { entries } = await objects.list({ prefix: key, maxKeys: 10 });
  if (entries.some((entry) => entry.key === key)) return "an object just written was listed";
  return {
    wrong: "an object just written was not listed",
    hint: "the log's end is found by listing: use a server whose lists are strongly consistent",
  };
}

async function races(probes: Probes): Promise<Finding> {
  for (let race = 0; race < RACES; race += 1) {
    const key = probes.key(`race-${String(race)}`);
    const writers = Array.from({ length: WRITERS }, (_, i) => `writer-${String(i)}`);
    const outcomes = await Promise.all(writers.map(async (writer) => (await probes.put(key, writer)).outcome));
    const winners = writers.filter((_, i) => outcomes[i] === "stored");
    const body = await probes.read(key);
    if (winners.length !== 1)
      return {
        wrong: `${String(winners.length)} writers were told that they had created the same key`,
        hint: UNSAFE_HINT,
      };
    if (body?.text !== winners[0])
      return { wrong: "the object is not the one whose writer was told it had won", hint: UNSAFE_HINT };
  }
  return `${String(RACES)} races for one key each, one winner each`;
}

async function replaceIfMatch(probes: Probes, key: string): Promise<Finding> {
  const hint = "run with RYNXS_S3_USE_HEAD=false: the log is safe without its head object, only slower to open";
  const before = await probes.read(key);
  if (before === null) return { wrong: "the object to be replaced was not found", hint };
  const right = await probes.replace(key, "replaced", before.etag);
  const after = await probes.read(key);
  if (right !== "stored" || after?.text !== "replaced")
    return { wrong: "a put with the object's own ETag in If-Match did not replace it", hint };
  const stale = await probes.replace(key, "stale", before.etag);
  const last = await probes.read(key);
  if (stale === "stored" || last?.text !== "replaced")
    return { wrong: "If-Match is ignored: a put with an outdated ETag replaced the object", hint };
  return "the right ETag replaced the object, an outdated one did not (412)";
}

function clock(skewMs: number | undefined): Finding {
  if (skewMs === undefined) return "the server's clock is not known";
  const seconds = `${String(Math.round(Math.abs(skewMs) / 100) / 10)} s`;
  if (Math.abs(skewMs) <= MAX_SKEW_MS) return `within ${seconds} of the server's`;
  return {
    wrong: `${seconds} ${skewMs > 0 ? "behind" : "ahead of"} the server's`,
    hint: "set this machine's clock (NTP): timestamps of events come from it, and servers refuse requests that are 15 minutes off",
  };
}

/** The objects that an examination writes. */
class Probes {
  readonly #objects: ObjectStore;
  readonly #runtime: Runtime;
  readonly #stem: string;
  readonly #keys = new Set<string>();

  constructor(objects: ObjectStore, root: string, runtime: Runtime) {
    this.#objects = objects;
    this.#runtime = runtime;
    this.#stem = `${root}_probe-${runtime.id()}`;
  }

  key(name: string): string {
    const key = `${this.#stem}-${name}.json`;
    this.#keys.add(key);
    return key;
  }

  /**
   * Creates the key; no two puts of one key have the same text, which is its put-id too. Asks again while the answer is
   * "unknown"; its own write, found after a lost answer, counts as stored.
   */
  async put(key: string, text: string): Promise<{ outcome: "stored" | "exists" }> {
    const options = { metadata: { [PUT_ID]: text } };
    const outcome = await this.#insist(() => this.#objects.putIfAbsent(key, Buffer.from(text), options));
    if (outcome === "asked again and exists" && (await this.read(key))?.putId === text) return { outcome: "stored" };
    return { outcome: outcome === "stored" ? "stored" : "exists" };
  }

  async replace(key: string, text: string, etag: string): Promise<"stored" | "exists"> {
    const outcome = await this.#insist(() => this.#objects.replaceIfMatch(key, Buffer.from(text), etag));
    if (outcome === "asked again and exists" && (await this.read(key))?.text === text) return "stored";
    return outcome === "stored" ? "stored" : "exists";
  }

  async read(key: string): Promise<{ text: string; etag: string; putId: string | undefined } | null> {
    const object = await this.#objects.get(key);
    return object && { text: object.body.toString("utf8"), etag: object.etag, putId: object.metadata[PUT_ID] };
  }

  /** Appending never deletes, so that a right to delete may be missing on purpose. */
  async removeAll(): Promise<Finding> {
    const keys = [...this.#keys];
    try {
      for (const key of keys) {
        await this.#objects.delete(key);
        this.#keys.delete(key);
      }
    } catch (error) {
      if (!(error instanceof EventStoreError) || error.code !== "ACCESS_DENIED") throw error;
      this.#keys.clear();
      return `not allowed, which a log does not need; the probes ${this.#stem}-… stay`;
    }
    const [first] = keys;
    if (first !== undefined && (await this.#objects.get(first)) !== null) {
      return {
        wrong: "a deleted object was still there",
        hint: "the store must be strongly consistent: do not put a cache or replica in front of it",
      };
    }
    return "the probes were removed";
  }

  /** Puts until the answer is a clear one. @throws the cause when it never is */
  async #insist(put: () => Promise<PutOutcome>): Promise<"stored" | "exists" | "asked again and exists"> {
    for (let attempt = 1; ; attempt += 1) {
      const answer = await put();
      if (answer.outcome === "stored") return "stored";
      if (answer.outcome === "exists") return attempt === 1 ? "exists" : "asked again and exists";
      if (attempt === ATTEMPTS) throw answer.cause;
      await this.#runtime.sleep(answer.retryAfterMs ?? 50 + backOff(this.#runtime, attempt, 50, 2_000));
    }
  }
}
