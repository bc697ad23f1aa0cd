import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  cosign,
  formatNote,
  formatSignature,
  localCosigner,
  localSigner,
  serveWitness,
  Witness,
  withCosignatures,
  type CosignOptions,
  type NoteSigner,
} from "../../../src/trust/index.js";
import { retryAfter } from "../../../src/trust/witness/ask-witness.js";
import { systemRuntime, type Runtime } from "../../../src/system/runtime.js";
import { testLog, TestState } from "./log.js";

const log = testLog("example.com/log");
const forked = testLog("example.com/log", 40, "!", 5);
const signer = localCosigner("witness.example/w1", Buffer.alloc(32, 9), () => 1_679_315_147_000);
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly body: string;
}

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  let body = "";
  for await (const chunk of request as AsyncIterable<Buffer>) body += chunk.toString();
  return body;
};

/** A server that answers as told, the last answer again and again. */
async function lying(
  ...answers: ((seen: Seen) => Parameters<typeof reply>[1] | Promise<Parameters<typeof reply>[1]>)[]
) {
  const requests: Seen[] = [];
  const listener: RequestListener = (request, response) => {
    void bodyOf(request).then(async (body) => {
      const seen = { method: request.method, url: request.url, body };
      const answer = answers[Math.min(requests.length, answers.length - 1)]!;
      requests.push(seen);
      reply(response, await answer(seen));
    });
  };
  const server: Server = createServer(listener).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  closing.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/prefix/`, requests };
}

function reply(
  response: Parameters<RequestListener>[1],
  answer: { status: number; body?: string; headers?: Record<string, string>; endless?: boolean; silent?: boolean },
): void {
  if (answer.silent) return;
  response.writeHead(answer.status, answer.headers);
  if (!answer.endless) {
    response.end(answer.body);
    return;
  }
  const more = (): void => {
    if (response.destroyed) return;
    response.write("— witness.example/w1 AAAAAAAAAAAA\n".repeat(1000), () => setImmediate(more));
  };
  more();
}

const size = (body: string, type = "text/x.tlog.size") => ({ status: 409, body, headers: { "content-type": type } });
const signed = async (text: string, ...signers: NoteSigner[]): Promise<string> =>
  (await Promise.all(signers.map(async (each) => formatSignature(await each.sign(text))))).join("");

let slept: number[];
let elapsed = 0;
const runtime: Runtime = {
  ...systemRuntime,
  elapsed: () => elapsed,
  random: () => 0.5,
  sleep: (ms) => {
    slept.push(ms);
    elapsed += ms;
    return Promise.resolve();
  },
};
beforeEach(() => {
  slept = [];
  elapsed = 0;
});

const proof = vi.fn((old: number) => log.proof(old, 20));
const ask = async (url: string, options: Partial<CosignOptions> = {}) => {
  proof.mockClear();
  return cosign(await log.note(20), { witness: { url, key: signer.key }, proof, runtime, ...options });
};

describe("cosign", () => {
  it("gets a cosignature of the reference witness, which then stands in the checkpoint", async () => {
    const witness = new Witness({
      logs: [log.signer.key],
      signer,
      state: new TestState(),
      now: () => 1_679_315_147_000,
    });
    const server = await serveWitness(witness, { port: 0 });
    closing.push(() => server.close());
    const url = `http://127.0.0.1:${String(server.port)}`;
    const first = await ask(url);
    expect(first).toMatchObject({ key: signer.key, time: 1_679_315_147 });
    expect(withCosignatures(await log.note(20), [first])).toBe(await log.note(20, signer));
    expect(withCosignatures(await log.note(20, signer), [first])).toBe(await log.note(20, signer));
    // The answer to the first was lost: it asks again, and is told, and asks for the same tree.
    expect((await ask(url)).signature).toEqual(first.signature);
    expect(proof.mock.calls).toEqual([[20]]);
    const next = { witness: { url, key: signer.key }, runtime };
    await cosign(await log.note(30), { ...next, oldSize: 11, proof: (old) => log.proof(old, 30) });
    await expect(cosign(await log.note(25), { ...next, proof })).rejects.toMatchObject({ code: "ROLLED_BACK" });
    await expect(
      cosign(await forked.note(35), { ...next, proof: (old) => forked.proof(old, 35) }),
    ).rejects.toMatchObject({ code: "PROOF_INVALID" });
    await expect(
      cosign(await forked.note(30), { ...next, oldSize: 30, proof: () => Promise.resolve([]) }),
    ).rejects.toMatchObject({
      code: "PROOF_INVALID",
      facts: { status: 422 },
    });
  });

  it("posts exactly what the protocol has, and once more from the size that it is told", async () => {
    const { url, requests } = await lying(
      () => size("7\n"),
      async () => ({ status: 200, body: await signed(log.text(20), signer) }),
    );
    await ask(url, { oldSize: 3 });
    expect(requests).toEqual([
      { method: "POST", url: "/prefix/add-checkpoint", body: await log.request(3, 20) },
      { method: "POST", url: "/prefix/add-checkpoint", body: await log.request(7, 20) },
    ]);
    expect(proof.mock.calls).toEqual([[3], [7]]);
  });

  it("needs no proof from nothing", async () => {
    const { url, requests } = await lying(async () => ({ status: 200, body: await signed(log.text(20), signer) }));
    await ask(url);
    expect(requests[0]?.body).toBe(`old 0\n\n${await log.note(20)}`);
    expect(proof).not.toHaveBeenCalled();
  });

  it("takes its witness's line among those of others", async () => {
    const other = localCosigner("witness.example/w2", Buffer.alloc(32, 8), () => 1000);
    const namesake = localCosigner(signer.key.name, Buffer.alloc(32, 7), () => 1000);
    const { url } = await lying(async () => ({
      status: 200,
      body: await signed(log.text(20), other, namesake, signer),
    }));
    expect(await ask(url)).toEqual({
      key: signer.key,
      time: 1_679_315_147,
      signature: await signer.sign(log.text(20)),
    });
  });

  it.each<[string, () => Promise<string>]>([
    ["of another note", () => signed(log.text(19), signer)],
    ["of another tree", () => signed(forked.text(20), signer)],
    [
      "of another key alone",
      () =>
        signed(
          log.text(20),
          localCosigner("w", Buffer.alloc(32, 8), () => 1000),
        ),
    ],
    ["twice", () => signed(log.text(20), signer, signer)],
    [
      "without a time",
      () =>
        signed(
          log.text(20),
          localCosigner(signer.key.name, Buffer.alloc(32, 9), () => 0),
        ),
    ],
    ["of the plain kind", () => signed(log.text(20), localSigner(signer.key.name, Buffer.alloc(32, 9)))],
    ["in a whole note", async () => formatNote({ text: log.text(20), signatures: [await signer.sign(log.text(20))] })],
    ["cut off", async () => (await signed(log.text(20), signer)).slice(0, -1)],
    ["with an empty line", async () => `${await signed(log.text(20), signer)}\n`],
    ["not at all", () => Promise.resolve("")],
    ["as garbage", () => Promise.resolve("{}\n")],
  ])("does not take a signature %s", async (_, body) => {
    const { url, requests } = await lying(async () => ({ status: 200, body: await body() }));
    await expect(ask(url)).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
    expect(requests).toHaveLength(1);
  });

  it("takes a size beyond its own for what it is: evidence", async () => {
    const { url, requests } = await lying(() => size("21\n", "text/x.tlog.size; charset=utf-8"));
    await expect(ask(url)).rejects.toMatchObject({
      code: "ROLLED_BACK",
      action: "evidence",
      facts: { expected: 21, actual: 20 },
    });
    expect(requests).toHaveLength(1);
  });

  it("asks no more than twice, whatever it is told", async () => {
    const { url, requests } = await lying(
      () => size("7\n"),
      () => size("8\n"),
    );
    await expect(ask(url)).rejects.toMatchObject({ code: "CONTENTION" });
    expect(requests).toHaveLength(2);
    const growing = await lying(
      () => size("7\n"),
      () => size("22\n"),
    );
    await expect(ask(growing.url)).rejects.toMatchObject({ code: "ROLLED_BACK" });
  });

  it.each([
    ["7", "text/x.tlog.size"],
    ["07\n", "text/x.tlog.size"],
    ["-7\n", "text/x.tlog.size"],
    ["7\n\n", "text/x.tlog.size"],
    ["99999999999999999\n", "text/x.tlog.size"],
    ["7\n", "text/plain"],
  ])("does not guess a size from %j of %s", async (body, type) => {
    const { url } = await lying(() => size(body, type));
    await expect(ask(url)).rejects.toMatchObject({ code: "REQUEST_REFUSED", facts: { status: 409 } });
  });

  it.each([
    [400, "malformed", "REQUEST_REFUSED"],
    [403, "does not know the key", "REQUEST_REFUSED"],
    [404, "does not know the log", "REQUEST_REFUSED"],
    [418, "answers 418", "REQUEST_REFUSED"],
    [422, "another tree", "PROOF_INVALID"],
  ])("does not repeat what is answered with %i", async (status, message, code) => {
    const { url, requests } = await lying(() => ({ status, body: "because\n" }));
    await expect(ask(url)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message) as string,
      facts: { status },
    });
    expect(requests).toHaveLength(1);
  });

  it("follows no redirect", async () => {
    const target = await lying(async () => ({ status: 200, body: await signed(log.text(20), signer) }));
    const { url } = await lying(() => ({ status: 307, headers: { location: target.url } }));
    await expect(ask(url)).rejects.toMatchObject({ code: "REQUEST_REFUSED", facts: { status: 307 } });
    expect(target.requests).toEqual([]);
  });

  it("reads no answer without end", async () => {
    for (const status of [200, 409, 400]) {
      const { url, requests } = await lying(() => ({ status, endless: true }));
      await expect(ask(url)).rejects.toMatchObject({
        code: "REQUEST_REFUSED",
        message: expect.stringContaining("without end") as string,
      });
      expect(requests).toHaveLength(1);
    }
  });

  it("waits as it is asked to, or longer each time, until its time is up", async () => {
    const { url, requests } = await lying(
      () => ({ status: 429, headers: { "retry-after": "3" } }),
      () => ({ status: 503 }),
      () => ({ status: 500, endless: true }),
      async () => ({ status: 200, body: await signed(log.text(20), signer) }),
    );
    await ask(url);
    expect(slept).toEqual([3000, 200, 400]);
    expect(new Set(requests.map(({ body }) => body)).size).toBe(1);
    slept = [];
    const busy = await lying(() => ({ status: 503, headers: { "retry-after": "3600" } }));
    await expect(ask(busy.url)).rejects.toMatchObject({ code: "UNAVAILABLE", action: "retry", facts: { status: 503 } });
    expect(slept).toEqual([]);
    const down = await lying(() => ({ status: 502 }));
    elapsed = 0;
    await expect(ask(down.url, { timeoutMs: 2000 })).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(slept).toEqual([100, 200, 400, 800]);
  });

  it("gives up on who does not answer, or cannot be reached", async () => {
    const { url } = await lying(() => ({ status: 200, silent: true }));
    await expect(ask(url, { requestTimeoutMs: 50, timeoutMs: 60 })).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringContaining("no answer within 50 ms") as string,
    });
    await expect(ask("http://127.0.0.1:1/", { timeoutMs: 1 })).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });

  it("ends when its signal does", async () => {
    const stop = new AbortController();
    const { url } = await lying(() => {
      stop.abort();
      return { status: 200, silent: true };
    });
    await expect(ask(url, { signal: stop.signal })).rejects.toMatchObject({ code: "ABORTED" });
    expect(slept).toEqual([]);
  });

  it("refuses addresses and keys that cannot be a witness's", async () => {
    for (const url of ["witness.example", "ftp://witness.example/", "https://user@witness.example/", "https://w/?x=1"])
      await expect(ask(url)).rejects.toMatchObject({ code: "INVALID_CONFIG" });
    await expect(
      ask("http://127.0.0.1:1/", { witness: { url: "http://127.0.0.1:1/", key: log.signer.key } }),
    ).rejects.toMatchObject({ code: "INVALID_CONFIG" });
  });
});

describe("Retry-After", () => {
  it("is seconds or a date", () => {
    const now = Date.parse("2024-01-01T00:00:00Z");
    expect(retryAfter("5", now)).toBe(5000);
    expect(retryAfter("Mon, 01 Jan 2024 00:00:07 GMT", now)).toBe(7000);
    for (const header of [null, "soon", "-5", "Sun, 31 Dec 2023 00:00:00 GMT"]) expect(retryAfter(header, now)).toBe(0);
  });
});
