// A process in which many callers append at once, and say on standard output what was acknowledged: `caller n size seq hash` a
// line, where `size` events of one append stand from `seq` on.
//   node crowd-writer.mjs '{"name", "callers", "path", "maxBytes"?, "dieAfterBytes"?}'   or   '{"name", "callers", "endpoint", "prefix"}'
// With `dieAfterBytes` it dies by SIGKILL within the write that takes it past so many bytes, exactly there.

import { FileEventStore, S3EventStore } from "../../dist/index.js";
import { systemIo } from "../../dist/stores/file/file-io.js";

const { name, callers, path, maxBytes, dieAfterBytes = Infinity, endpoint, prefix } = JSON.parse(process.argv[2]);

let left = dieAfterBytes;
const io = {
  ...systemIo,
  append: async (file, bytes) => {
    await systemIo.append(file, bytes.subarray(0, Math.min(left, bytes.length)));
    left -= bytes.length;
    if (left >= 0) return;
    process.kill(process.pid, "SIGKILL");
    await new Promise(() => {});
  },
};

const store =
  path === undefined
    ? await S3EventStore.open({
        bucket: "events",
        endpoint,
        prefix,
        batch: true,
        credentials: { accessKeyId: "test", secretAccessKey: "testsecret" },
      })
    : await FileEventStore.open({ path, maxBytes, io });

/** Singles, batches of two to six, and appends that expect a hash. */
async function caller(id) {
  const who = `${name}-${id}`;
  for (let n = 0; ; n++) {
    const size = (n + id) % 4 === 1 ? 2 + ((n + id) % 5) : 1;
    const events = Array.from({ length: size }, (_, i) => ({
      type: "T",
      aggregateId: who,
      payload: { n, i, size, fill: "x".repeat((id * 37) % 300) },
    }));
    let result;
    if (size > 1) result = (await store.appendBatch(events)).records;
    else if ((n + id) % 7 !== 3) result = [await store.append(events[0])];
    else {
      for (let expectedPrevHash = await store.getLastHash(); result === undefined;) {
        const told = await store.append(events[0], { expectedPrevHash });
        if (told.committed) result = [told];
        else expectedPrevHash = told.observedPrevHash;
      }
    }
    process.stdout.write(`${who} ${n} ${size} ${result[0].seq} ${result[0].eventHash}\n`);
  }
}

await Promise.all(Array.from({ length: callers }, (_, id) => caller(id)));
