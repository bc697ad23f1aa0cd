import type { EventMap } from "../../core/event.js";
import type { EventStore } from "../port.js";
import { checkName } from "./projection.js";
import { allSnapshots, type StoredSnapshot } from "./snapshot-shelf.js";

/** A snapshot as it is listed. */
export interface ListedSnapshot extends StoredSnapshot {
  /** Of the projection's code. */
  readonly version: number;
}

/** The snapshots of the projections of that name, all versions of it, by version and seq. None is checked. @throws ConfigError; BackendError */
export async function listSnapshots<E extends EventMap>(
  store: EventStore<E>,
  name: string,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<ListedSnapshot[]> {
  checkName(name);
  const found: ListedSnapshot[] = [];
  for await (const { version, seq, key, bytes, modifiedAt } of allSnapshots(store.derived, name, options.signal))
    found.push({ version, seq, key, bytes, modifiedAt });
  return found.sort((a, b) => a.version - b.version || a.seq - b.seq);
}

/** Deletes them; what they stand for can be had from the log again. @returns how many. @throws ConfigError; BackendError */
export async function deleteSnapshots<E extends EventMap>(
  store: EventStore<E>,
  name: string,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<number> {
  const listed = await listSnapshots(store, name, options);
  for (const { key } of listed) await store.derived.objects.delete(key, { signal: options.signal });
  return listed.length;
}
