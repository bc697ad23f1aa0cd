import type { ObjectStore } from "../../src/objects/port.js";

/** The store, with some of its methods replaced. */
export function overriding(objects: ObjectStore, methods: Partial<ObjectStore>): ObjectStore {
  return {
    identity: objects.identity,
    fence: objects.fence,
    putIfAbsent: (...args) => objects.putIfAbsent(...args),
    replaceIfMatch: (...args) => objects.replaceIfMatch(...args),
    get: (...args) => objects.get(...args),
    list: (...args) => objects.list(...args),
    delete: (...args) => objects.delete(...args),
    close: () => objects.close(),
    ...methods,
  };
}
