import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Installed, installTarballs, ROOT, run, succeed, type Tarball } from "./install.js";

/** A user's program: typed events, append and verify through the public entry. Compiled against the packed types, then run. */
const CONSUMER = `
import { EventStoreError, FileEventStore, GENESIS_HASH, type EventStore, type RecordedEvent } from "@rynxs/event-store";
import * as testing from "@rynxs/event-store/testing";

interface Events {
  AgentObserved: { readonly foo: string };
  Ticked: object;
}

const store: EventStore<Events> = await FileEventStore.open<Events>({ path: "typed.log" });
const first = await store.appendWithRetry({ type: "AgentObserved", aggregateId: "agent-1", payload: { foo: "bar" }, ts: 1 });
await store.append({ type: "Ticked", aggregateId: "clock" }, { expectedPrevHash: first.eventHash });
const lost = await store.append({ type: "Ticked", aggregateId: "clock" }, { expectedPrevHash: GENESIS_HASH });

// @ts-expect-error: no such type of event
const unknown: Parameters<typeof store.append>[0] = { type: "Gone", aggregateId: "a" };
// @ts-expect-error: foo is a string
const mistyped: Parameters<typeof store.append>[0] = { type: "AgentObserved", aggregateId: "a", payload: { foo: 1 } };
void [unknown, mistyped];

const seen: string[] = [];
for await (const event of store.read()) {
  const typed: RecordedEvent<Events> = event;
  seen.push(typed.type === "AgentObserved" ? typed.payload.foo : typed.type);
}
const { valid, events } = await store.verify();
await store.close();
const code = await store.append({ type: "Ticked", aggregateId: "clock" }).catch((error: unknown) =>
  error instanceof EventStoreError ? error.code : String(error),
);
console.log(JSON.stringify({ conflict: !lost.committed, seen, valid, events, code, kit: Object.keys(testing).length > 0 }));
`;

const TSCONFIG = {
  compilerOptions: {
    target: "es2023",
    module: "nodenext",
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    // The packed declarations themselves are checked too.
    skipLibCheck: false,
    types: ["node"],
  },
  files: ["consumer.ts"],
};

let installed: Installed;
beforeAll(async () => {
  installed = await installTarballs();
}, 240_000);
afterAll(() => installed.remove());

const paths = (tarball: Tarball): string[] => tarball.files.map((file) => file.path);
const rynxs = (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
  run(installed.folder, "npx", "--no", "--", "rynxs", ...args);

describe("the tarballs hold what users need and nothing else", () => {
  it.each(["library", "commandLine"] as const)(
    "%s: what runs, its types, sources, manifest, README, licence",
    (which) => {
      const allowed =
        /^(bin\/rynxs\.js|build\/[\w.-]+\.js|dist\/[\w./-]+\.d\.ts|src\/[\w./-]+\.ts|package\.json|README\.md|LICENSE)$/;
      const names = paths(installed[which]);
      expect(names.filter((name) => !allowed.test(name))).toEqual([]);
      expect(names.filter((name) => /(^|\/)(test|tests|vectors|fixtures)\/|\.test\./.test(name))).toEqual([]);
      expect(names).toEqual(expect.arrayContaining(["README.md", "LICENSE", "package.json"]));
    },
  );

  it("every module has its types, and its source (else: remove dist, build again)", () => {
    const names = paths(installed.library);
    const types = names.flatMap((name) => /^dist\/(.+)\.d\.ts$/.exec(name)?.[1] ?? []);
    const sources = names.flatMap((name) => /^src\/(.+)\.ts$/.exec(name)?.[1] ?? []);
    expect(types.sort()).toEqual(sources.sort());
    expect(names).toContain("build/run-worker.js");
    expect(names).toContain("build/tree-worker.js");
  });

  it.each(["event-store", "cli"])("%s carries the project's licence", async (folder) => {
    const own = await readFile(join(ROOT, "packages", folder, "LICENSE"), "utf8");
    expect(own).toBe(await readFile(join(ROOT, "LICENSE"), "utf8"));
  });

  it("their sizes are sane", () => {
    expect(installed.library.size).toBeLessThan(900_000);
    expect(installed.library.unpackedSize).toBeLessThan(3_500_000);
    expect(installed.commandLine.size).toBeLessThan(250_000);
    expect(installed.commandLine.unpackedSize).toBeLessThan(1_000_000);
  });
});

describe("installed in an empty folder", () => {
  it("a typed program compiles against the packed types, appends, reads and verifies", async () => {
    const { folder } = installed;
    await writeFile(join(folder, "consumer.ts"), CONSUMER);
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify(TSCONFIG));
    expect(await run(folder, join(ROOT, "node_modules/.bin/tsc"), "-p", ".")).toMatchObject({ code: 0, stdout: "" });
    expect(JSON.parse(await succeed(folder, process.execPath, "consumer.js"))).toEqual({
      conflict: true,
      seen: ["bar", "Ticked"],
      valid: true,
      events: 2,
      code: "CLOSED",
      kit: true,
    });
  });

  it("the README's example compiles, and does what its comments say", async () => {
    const { folder } = installed;
    const readme = await readFile(join(ROOT, "README.md"), "utf8");
    const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
    const program = example
      .replace(
        /await S3EventStore\.open<MyEvents>\(\{.*\}\)/,
        'await FileEventStore.open<MyEvents>({ path: "readme.log" })',
      )
      .replace(
        "[/* up to 1000 events */]",
        '[{ type: "AgentObserved", aggregateId: "agent-1", payload: { foo: "b" } }]',
      );
    expect(program).not.toBe(example);
    await writeFile(join(folder, "readme.ts"), `${program}\nconsole.log(JSON.stringify({ r, head, report }));\n`);
    await writeFile(join(folder, "tsconfig.readme.json"), JSON.stringify({ ...TSCONFIG, files: ["readme.ts"] }));
    expect(await run(folder, join(ROOT, "node_modules/.bin/tsc"), "-p", "tsconfig.readme.json")).toMatchObject({
      code: 0,
      stdout: "",
    });
    const lines = (await succeed(folder, process.execPath, "readme.js")).trimEnd().split("\n");
    expect(lines.slice(0, 2)).toEqual(["0 { foo: 'bar' }", "2 { foo: 'b' }"]);
    expect(JSON.parse(lines[2] ?? "")).toMatchObject({
      r: { committed: true, seq: 0 },
      head: { seq: 4 },
      report: { valid: true, events: 5 },
    });
  });

  it("so does its example of a long log", async () => {
    const { folder } = installed;
    const readme = await readFile(join(ROOT, "README.md"), "utf8");
    const [, example = ""] = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code);
    const prelude = `
      import { FileEventStore } from "@rynxs/event-store";
      type MyEvents = { AgentObserved: { foo: string }; AgentStopped: { reason?: string } };
      const store = await FileEventStore.open<MyEvents>({ path: "long.log" });
      for (const foo of ["a", "b"]) await store.append({ type: "AgentObserved", aggregateId: "agent-1", payload: { foo } });
      const signal = AbortSignal.timeout(1000);`;
    await writeFile(join(folder, "long.ts"), `${prelude}\n${example}\nconsole.log(JSON.stringify(state));\n`);
    await writeFile(join(folder, "tsconfig.long.json"), JSON.stringify({ ...TSCONFIG, files: ["long.ts"] }));
    expect(await run(folder, join(ROOT, "node_modules/.bin/tsc"), "-p", "tsconfig.long.json")).toMatchObject({
      code: 0,
      stdout: "",
    });
    const lines = (await succeed(folder, process.execPath, "long.js")).trimEnd().split("\n");
    // versions, then seqs of the subscription, then the state
    expect(lines).toEqual(["1", "2", "0", "1", "2", '{"AgentObserved":2,"AgentStopped":1}']);
  });

  it("the library does not need the optional AWS client", async () => {
    const script = 'await import("@rynxs/event-store"); await import("@aws-sdk/client-s3");';
    const { code, stderr } = await run(installed.folder, process.execPath, "--input-type=module", "-e", script);
    expect(code).not.toBe(0);
    expect(stderr).toContain("Cannot find package '@aws-sdk/client-s3'");
  });

  it("npx rynxs says its version", async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, "packages/cli/package.json"), "utf8")) as {
      version: string;
    };
    expect(await rynxs("--version")).toMatchObject({ code: 0, stdout: `${version}\n` });
  });

  it("npx rynxs appends, verifies, and catches a changed byte", async () => {
    const store = ["--store", "file:session.log"];
    for (const foo of ["bar", "baz"]) {
      const event = ["--type", "AgentObserved", "--aggregate", "agent-1", "--payload", JSON.stringify({ foo })];
      expect(await rynxs("append", ...store, ...event)).toMatchObject({ code: 0 });
    }
    const good = await rynxs("verify", ...store, "--json");
    expect(good.code).toBe(0);
    expect(JSON.parse(good.stdout)).toMatchObject({ valid: true, events: 2, head: { seq: 1 } });

    const log = join(installed.folder, "session.log");
    await writeFile(log, (await readFile(log, "utf8")).replace('"foo":"baz"', '"foo":"bax"'));
    const bad = await rynxs("verify", ...store, "--json");
    expect(bad.code).toBe(2);
    expect(JSON.parse(bad.stdout)).toMatchObject({ valid: false, events: 1, error: { code: "HASH_MISMATCH", seq: 1 } });
  });
});
