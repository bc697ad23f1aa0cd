// What scenarios share in one run: the temporary directory, servers and logs. Each is made when it is first asked for, once,
// and removed at the end of the run.

import { closeSync, copyFileSync, fsyncSync, mkdirSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openChild } from "./child.mjs";
import { startBenchGateway } from "./gateway.mjs";
import { startNats } from "./nats.mjs";
import { NotInstalled } from "./not-installed.mjs";
import { startPostgres } from "./postgres.mjs";
import { progress } from "./progress.mjs";

export class Context {
  #cleanup;
  #made = new Map();
  #options;
  #temp = mkdtempSync(join(tmpdir(), "rynxs-bench-"));

  /** @param {import("./options.mjs").Options} options @param {import("./cleanup.mjs").Cleanup} cleanup */
  constructor(options, cleanup) {
    this.#options = options;
    this.#cleanup = cleanup;
    cleanup.add(() => rmSync(this.#temp, { recursive: true, force: true }));
  }

  get temp() {
    return this.#temp;
  }

  get smoke() {
    return this.#options.smoke;
  }

  /** What `gateway` starts, in words. */
  get bucketServer() {
    return this.smoke ? "the emulator, as this is a smoke run" : "Ceph RADOS Gateway with bluestore";
  }

  /** Events per measurement: what the user asked for, else what the scenario takes. */
  size(normal, smoke) {
    return this.#options.events ?? this.fixed(normal, smoke);
  }

  /** As `size`, for what --events does not change. */
  fixed(normal, smoke) {
    return this.smoke ? smoke : normal;
  }

  /** A folder for files of contenders. */
  folder(name) {
    const path = join(this.#temp, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  child(what) {
    return openChild(what, this.#cleanup);
  }

  /** The real S3 server; in a smoke run the emulator in its place. */
  gateway() {
    if (this.smoke) return this.emulator(0).then(({ facts }) => facts);
    return this.once("the S3 gateway", () => startBenchGateway(this.#cleanup));
  }

  /** @returns {Promise<{ facts: import("./s3.mjs").Bucket, call: Function }>} */
  emulator(latencyMs) {
    const what = { module: "lib/emulator.mjs", open: "openEmulator", options: { latencyMs } };
    return this.once(`an S3 emulator, ${latencyMs} ms`, () => this.child(what));
  }

  instantServer() {
    return this.once("a server that answers at once", () =>
      this.child({ module: "lib/instant-server.mjs", open: "openInstantServer" }),
    );
  }

  postgres() {
    return this.#server("PostgreSQL", () => startPostgres(this.#temp, this.#cleanup));
  }

  nats() {
    return this.#server("NATS", () => startNats(this.#temp, this.#cleanup));
  }

  /** A log file of so many records that nobody may write to. */
  log(events) {
    return this.once(`a log of ${events.toLocaleString("en")} events`, async () => {
      const path = join(this.#temp, `${events}.log`);
      const maker = await this.child({ module: "lib/log-maker.mjs", open: "makeLog" });
      await maker.call("write", path, events);
      await maker.close();
      return path;
    });
  }

  /** A copy of it, to write to. */
  async logCopy(events, name) {
    const path = join(this.folder("copies"), `${name}.log`);
    copyFileSync(await this.log(events), path);
    // Else the first syncs of appends would have the whole copy to write.
    const file = openSync(path, "r+");
    fsyncSync(file);
    closeSync(file);
    return path;
  }

  /** The prefix, on the emulator without latency, of such a log in batch objects. `name`: a copy of one's own. */
  s3Log(events, name = "shared") {
    const prefix = `${name}-${events}`;
    return this.once(
      `${events.toLocaleString("en")} events in batch objects`,
      async () => {
        const emulator = await this.emulator(0);
        await emulator.call("seed", { path: await this.log(events), prefix, count: events });
        return { s3: emulator.facts, prefix };
      },
      prefix,
    );
  }

  #server(name, start) {
    if (this.smoke) return Promise.reject(new NotInstalled(`left out of a smoke run: ${name}`));
    return this.once(name, start);
  }

  /** What `make` gives, made when it is first asked for. `name`: for people. */
  once(name, make, key = name) {
    if (!this.#made.has(key)) {
      progress.show(`preparing ${name} …`);
      this.#made.set(key, make());
    }
    return this.#made.get(key);
  }
}
