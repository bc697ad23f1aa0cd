import { describe, expect, it } from "vitest";
import { lookFor } from "../../src/app/look.js";
import { KubeError, type KubeErrorCode } from "../../src/kube/errors.js";
import type { KubeApi, KubeRequest } from "../../src/kube/port.js";
import { observe, subjectOf } from "../../src/record/observation.js";
import { recordedMessage } from "../../src/record/recorded-condition.js";
import { announce, writeStatus } from "../../src/report/kube-writes.js";
import { agent, AGENTS } from "../record/helpers.js";

const HASH = "a".repeat(64);
const at = (seq: number) => ({ type: "AgentObserved", seq, eventHash: HASH });
const subject = subjectOf(AGENTS, agent("x", {}).metadata);

function api(answer: (request: KubeRequest) => unknown): KubeApi & { readonly asked: KubeRequest[] } {
  const asked: KubeRequest[] = [];
  return {
    server: "memory",
    asked,
    request: async (request) => {
      asked.push(request);
      return answer(request);
    },
    watch: () => {
      throw new Error("not watched here");
    },
    close: async () => {},
  };
}

const refusing = (code: KubeErrorCode, message = "refused"): KubeApi =>
  api(() => {
    throw new KubeError(code, message);
  });

describe("whether an object is gone", () => {
  it.each(["FORBIDDEN", "INVALID", "REFUSED"] as const)(
    "is not concluded from %s, which asking again would not change",
    async (code) => {
      const told: unknown[] = [];
      const look = lookFor(refusing(code), (_, error) => told.push(error));
      expect(await look(subject, new AbortController().signal)).toBe("uid-x");
      expect(told).toMatchObject([{ code }]);
    },
  );

  it.each(["UNAVAILABLE", "THROTTLED", "UNAUTHORIZED"] as const)("is asked again after %s", async (code) => {
    const look = lookFor(refusing(code), () => undefined);
    await expect(look(subject, new AbortController().signal)).rejects.toMatchObject({ code });
  });
});

describe("a status", () => {
  const conditions = (seq: number) => [{ type: "Recorded", message: recordedMessage(seq, HASH) }];
  /** An object whose resourceVersion is 2 by now, with the status that says `seq`. */
  const server = (seq: number) =>
    api(({ method, body }) => {
      const { metadata } = (body ?? {}) as { metadata?: { resourceVersion: string } };
      if (method === "GET")
        return { ...agent("x", {}, { resourceVersion: "2" }), status: { conditions: conditions(seq) } };
      if (metadata?.resourceVersion !== "2") throw new KubeError("CONFLICT", "changed meanwhile");
      return {};
    });
  const patches = ({ asked }: { asked: KubeRequest[] }) => asked.filter(({ method }) => method === "PATCH").length;

  it("that says more by now is not taken back by a leader that was deposed", async () => {
    const cluster = server(9);
    await writeStatus(cluster, subject, { resourceVersion: "1", conditions: conditions(3) }, at(5), 0);
    expect(patches(cluster)).toBe(1);
  });

  it("that was changed by others otherwise is written, also when it is of another log", async () => {
    for (const [before, now] of [
      [3, 3],
      [900, 900],
    ] as const) {
      const cluster = server(now);
      await writeStatus(cluster, subject, { resourceVersion: "1", conditions: conditions(before) }, at(5), 0);
      expect(patches(cluster)).toBe(2);
    }
  });
});

describe("a Kubernetes Event", () => {
  const nameOf = async (name: string): Promise<string> => {
    const cluster = api(() => ({}));
    await announce(cluster, { ...subject, name }, at(255), { instance: "op-0" }, 0);
    return (cluster.asked[0]!.body as { metadata: { name: string } }).metadata.name;
  };

  it("has a name that a server takes, whatever the object is called", async () => {
    expect(await nameOf("x")).toBe("x.00000000ff");
    for (const name of ["system:node:a", `${"a".repeat(241)}-bcdefghijkl`, "UPPER_case", ":"])
      expect(await nameOf(name)).toMatch(
        /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
      );
  });

  it("of a namespace that is gone, or about to be, is no error; one that may not be written is", async () => {
    const write = (cluster: KubeApi) => announce(cluster, subject, at(1), { instance: "op-0" }, 0);
    await write(refusing("NOT_FOUND"));
    const said = "403 Forbidden: unable to create new content in namespace universe because it is being terminated";
    await write(refusing("FORBIDDEN", said));
    await expect(write(refusing("FORBIDDEN"))).rejects.toMatchObject({ code: "FORBIDDEN" });
  });
});

describe("a Secret", () => {
  it("keeps its annotations to itself: tools put copies of the whole object there", () => {
    const secrets = { ...AGENTS, group: "", version: "v1", plural: "secrets", kind: "Secret", metadataOnly: true };
    const copy = '{"data":{"password":"aHVzaA=="}}';
    const { payload } = observe(secrets, agent("s", {}, { annotations: { "kapp.k14s.io/original": copy } }), 0);
    expect(payload).not.toContain("aHVzaA");
    expect(JSON.parse(payload!)).toMatchObject({ name: "s", annotations: {} });
  });
});
