// A process that compacts a log again and again until its standard input ends: node compactor.mjs PATH [STEPS]. A line for each run that
// wrote. With STEPS it dies by SIGKILL in the write, truncation or synchronisation behind so many.
import { FileEventStore } from "../../../dist/stores/file/file-event-store.js";
import { systemIo } from "../../../dist/stores/file/file-io.js";

const [path, steps = "Infinity"] = process.argv.slice(2);
let left = Number(steps);
const step = async (half, whole) => {
  if (left-- > 0) return whole();
  await half();
  process.kill(process.pid, "SIGKILL");
  await new Promise(() => {});
};
const io = {
  append: (file, bytes) =>
    step(
      () => systemIo.append(file, bytes.subarray(0, bytes.length / 2)),
      () => systemIo.append(file, bytes),
    ),
  sync: (file) =>
    step(
      async () => {},
      () => systemIo.sync(file),
    ),
  truncate: (file, size) =>
    step(
      async () => {},
      () => systemIo.truncate(file, size),
    ),
};

const store = await FileEventStore.open({ path, io });
let ended = false;
process.stdin.on("end", () => (ended = true)).resume();
while (!ended) {
  const { written } = await store.compact();
  if (written > 0) process.stdout.write(`${written}\n`);
}
await store.close();
