// A writer process for tests: node append-many.mjs WRITER COUNT, the store as the environment says. Prints a line for each acknowledgement.
import { openEventStore } from "@rynxs/event-store";

const [writer = "", count = ""] = process.argv.slice(2);
const store = await openEventStore(process.env);
for (let i = 0; i < Number(count); i++) {
  const { seq, eventHash } = await store.appendWithRetry({ type: "T", aggregateId: writer, payload: { i } });
  process.stdout.write(`${JSON.stringify({ i, seq, eventHash })}\n`);
}
await store.close();
