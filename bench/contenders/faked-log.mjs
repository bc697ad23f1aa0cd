import { FakeLog, PREFIX, WANTED } from "../lib/fake-log.mjs";
import { S3EventStore } from "../lib/library.mjs";

/**
 * What reading one aggregate asks for, at each of the lengths: LISTs, GETs of roots and tables of the index, and all.
 * @param {{ lengths: Record<string, number> }} options by name, which the metrics begin with
 */
export async function read({ lengths }) {
  return {
    async measure() {
      const found = {};
      for (const [name, records] of Object.entries(lengths)) {
        const fake = new FakeLog(records);
        const store = await S3EventStore.open({ objects: fake, prefix: PREFIX });
        const seqs = [];
        for await (const { seq } of store.read({ aggregateId: WANTED })) seqs.push(seq);
        await store.close();
        if (seqs.join() !== fake.wanted.join()) throw new Error(`read ${seqs.join()} instead of ${fake.wanted.join()}`);
        found[`${name}Lists`] = fake.lists;
        found[`${name}Index`] = fake.lists + fake.indexGets;
        found[`${name}All`] = fake.requests;
      }
      return found;
    },
  };
}
