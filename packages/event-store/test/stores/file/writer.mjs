// A process that appends to a log, and says on standard output what was acknowledged: `seq hash n` a line. `n` counts up.
//   node writer.mjs '{"path", "name", "count", "maxBytes"?, "mixed"?, "size"?, "dieAfterBytes"?, "dieInSync"?}'
// With `mixed` some appends are batches of three, and some expect a hash. With `dieAfterBytes` it dies by SIGKILL in the
// write that takes it past so many bytes, exactly there; with `dieInSync` when that write is to be synced.

import { FileEventStore } from "../../../dist/stores/file/file-event-store.js";
import { systemIo } from "../../../dist/stores/file/file-io.js";

const {
  path,
  name,
  count,
  maxBytes,
  mixed = false,
  size = 0,
  dieAfterBytes = Infinity,
  dieInSync = false,
} = JSON.parse(process.argv[2]);

let left = dieAfterBytes;
const die = async () => {
  process.kill(process.pid, "SIGKILL");
  await new Promise(() => {});
};
const io = {
  ...systemIo,
  append: async (file, bytes) => {
    if (bytes.length <= left || dieInSync) {
      left -= bytes.length;
      return systemIo.append(file, bytes);
    }
    await systemIo.append(file, bytes.subarray(0, left));
    await die();
  },
  sync: async (file) => (left < 0 ? die() : systemIo.sync(file)),
};

const store = await FileEventStore.open({ path, maxBytes, io });
const fill = "x".repeat(size);
const event = (n) => ({ type: "T", aggregateId: name, payload: { n, fill } });
const acknowledge = (records, n) => {
  process.stdout.write(records.map(({ seq, eventHash }, i) => `${seq} ${eventHash} ${n + i}\n`).join(""));
};

for (let n = 0; n < count;) {
  if (mixed && n % 5 === 0 && n + 3 <= count) {
    const { records } = await store.appendBatch([event(n), event(n + 1), event(n + 2)]);
    acknowledge(records, n);
    n += 3;
  } else if (mixed && n % 5 === 3) {
    let expectedPrevHash = await store.getLastHash();
    for (;;) {
      const result = await store.append(event(n), { expectedPrevHash });
      if (result.committed) {
        acknowledge([result], n++);
        break;
      }
      expectedPrevHash = result.observedPrevHash;
    }
  } else acknowledge([await store.appendWithRetry(event(n))], n++);
}
await store.close();
