import { describe, expect, it } from "vitest";
import { MAX_SEQ } from "../../../src/core/event.js";
import { LogKeys } from "../../../src/log/keys.js";
import { logPolicies, POLICY_ROLES, type PolicyRole } from "../../../src/stores/hardening/policies.js";
import { evaluatePolicies, type PolicyDecision } from "../../../src/stores/hardening/policy-evaluation.js";

const PRUNER = "arn:aws:iam::123456789012:role/pruner";
const SOMEBODY = "arn:aws:iam::123456789012:user/somebody";
const TLS = { "aws:SecureTransport": "true", "aws:ResourceAccount": "123456789012" };
const CREATE = { "s3:if-none-match": "*" };
const REPLACE = { "s3:if-match": '"etag"' };

const prefixes = ["events", "a/b c/ü", "", "0", "odd*?$/{x}"];

interface Ask {
  readonly key?: string;
  readonly context?: Record<string, string>;
  readonly principal?: string;
}

describe.each(prefixes)("policies of the prefix %j", (prefix) => {
  const keys = new LogKeys(prefix);
  const { bucket, iam } = logPolicies({ bucket: "log-bucket", prefix, account: "123456789012", deleters: [PRUNER] });

  const ask = (policies: readonly unknown[], action: string, { key, context, principal = SOMEBODY }: Ask = {}) =>
    evaluatePolicies(policies, {
      action: `s3:${action}`,
      resource: `arn:aws:s3:::log-bucket${key === undefined ? "" : `/${key}`}`,
      principal,
      context: { ...TLS, ...context },
    });
  /** Somebody who has every right, and the bucket's policy. */
  const anything = { Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }] };
  const any = (action: string, key?: string, context?: Record<string, string>, principal?: string): PolicyDecision =>
    ask([anything, bucket], action, {
      ...(key !== undefined && { key }),
      ...(context && { context }),
      ...(principal !== undefined && { principal }),
    });
  const as = (role: PolicyRole, action: string, key?: string, context?: Record<string, string>): PolicyDecision =>
    ask([iam(role), bucket], action, {
      ...(key !== undefined && { key }),
      ...(context && { context }),
      principal: role === "compactor" || role === "admin" ? PRUNER : SOMEBODY,
    });

  const events = [0, 1, 42, 999_999_999, 1_000_000_000, 5_432_109_876, MAX_SEQ].map((seq) => keys.event(seq));
  const segment = keys.segment(0, 9_999);
  const replaced = [
    keys.head,
    ...["x", "a-name", "0123456789", "x".repeat(10)].map((name) => keys.position(name)),
    keys.snapshot("p", 1, 0),
    keys.snapshot("0123456789", 10, MAX_SEQ),
    keys.indexFile("directories", { first: 0, last: 9_999 }),
    keys.indexFile("runs", { first: 0, last: 9_999 }),
    // Ten characters, as an event's name.
    `${keys.root}_imports/x.json`,
    `${keys.root}_imports/legacy.ndjson.json`,
  ];
  const created = [keys.probe, `${keys.root}_probe-${"0".repeat(32)}-race-1.json`];

  it("demand If-None-Match of every event and segment, whoever asks", () => {
    for (const key of [...events, segment]) {
      for (const principal of [SOMEBODY, PRUNER, "*", "arn:aws:iam::123456789012:root"]) {
        expect(any("PutObject", key, {}, principal), key).toBe("denied");
        // A forger who knows the ETag.
        expect(any("PutObject", key, REPLACE, principal), key).toBe("denied");
        expect(any("PutObject", key, CREATE, principal), key).toBe("allowed");
      }
    }
  });

  it("let the head, positions, snapshots, index and imports be created and replaced", () => {
    for (const key of [...replaced, ...created])
      for (const context of [CREATE, REPLACE]) expect(any("PutObject", key, context), key).toBe("allowed");
    expect(any("GetObject", events[0])).toBe("allowed");
    expect(any("ListBucket")).toBe("allowed");
    for (const key of [
      `${keys.root}other.json`,
      `elsewhere/${events[0] ?? ""}`,
      `${keys.root}12345.json`,
      `x${keys.head}`,
    ])
      expect(any("PutObject", key), key).toBe("allowed");
  });

  it("let nobody but the one that prunes delete events and segments", () => {
    for (const key of [...events, segment])
      for (const action of ["DeleteObject", "DeleteObjectVersion"]) {
        expect(any(action, key), key).toBe("denied");
        expect(any(action, key, {}, "arn:aws:iam::123456789012:role/pruner2"), key).toBe("denied");
        expect(any(action, key, {}, PRUNER), key).toBe("allowed");
      }
    for (const key of replaced) expect(any("DeleteObject", key), key).toBe("allowed");
    const nobody = logPolicies({ bucket: "log-bucket", prefix }).bucket;
    expect(ask([anything, nobody], "DeleteObject", { key: keys.event(1), principal: PRUNER })).toBe("denied");
  });

  it("let nobody in without TLS", () => {
    for (const key of [undefined, keys.head, events[0]])
      expect(any("GetObject", key, { "aws:SecureTransport": "false" })).toBe("denied");
  });

  it("give each role what it does, and no more", () => {
    for (const role of POLICY_ROLES) {
      for (const key of [...events, segment, ...replaced]) expect(as(role, "GetObject", key), role).toBe("allowed");
      expect(as(role, "GetObject", "elsewhere/key")).toBe(prefix === "" ? "allowed" : "not-allowed");
      expect(as(role, "ListBucket", undefined, { "s3:prefix": keys.root })).toBe("allowed");
      expect(as(role, "ListBucket", undefined, { "s3:prefix": `${keys.root}_segments/` })).toBe("allowed");
      expect(as(role, "ListBucket", undefined, { "s3:prefix": "elsewhere/" })).toBe(
        prefix === "" ? "allowed" : "not-allowed",
      );
      expect(as(role, "ListBucket"), "for 404 of a missing key").toBe("allowed");
      const appends = role !== "reader" && role !== "compactor";
      for (const key of events) {
        expect(as(role, "PutObject", key, CREATE), role).toBe(appends ? "allowed" : "not-allowed");
        expect(as(role, "PutObject", key, REPLACE), role).toBe("denied");
        // Its own rights alone do not do it either, where the bucket has no policy.
        expect(ask([iam(role)], "PutObject", { key, context: REPLACE }), role).toBe("not-allowed");
        expect(as(role, "DeleteObject", key), role).toBe(
          role === "compactor" || role === "admin" ? "allowed" : "denied",
        );
        expect(ask([iam(role)], "DeleteObject", { key }), role).toBe(
          role === "compactor" || role === "admin" ? "allowed" : "not-allowed",
        );
        expect(ask([iam(role)], "DeleteObjectVersion", { key }), role).toBe("not-allowed");
      }
      for (const context of [CREATE, REPLACE]) {
        expect(as(role, "PutObject", keys.head, context), role).toBe(appends ? "allowed" : "not-allowed");
        expect(as(role, "PutObject", keys.position("p"), context), role).toBe(
          role === "writer" || role === "admin" ? "allowed" : "not-allowed",
        );
      }
      expect(as(role, "PutObject", keys.probe, CREATE), role).toBe(appends ? "allowed" : "not-allowed");
      const compacts = role === "compactor" || role === "admin";
      expect(as(role, "PutObject", segment, CREATE), role).toBe(compacts ? "allowed" : "not-allowed");
      expect(ask([iam(role)], "PutObject", { key: segment, context: REPLACE }), role).toBe("not-allowed");
      const index = keys.indexFile("runs", { first: 0, last: 9_999 });
      expect(as(role, "PutObject", index, REPLACE), role).toBe(compacts ? "allowed" : "not-allowed");
      expect(as(role, "PutBucketPolicy"), role).toBe(role === "admin" ? "allowed" : "not-allowed");
      const elsewhere = { "aws:ResourceAccount": "999999999999" };
      expect(as(role, "GetObject", events[0], elsewhere), role).toBe("not-allowed");
    }
  });

  it("with Object Lock, give who appends the retention, the admin versions and holds, and nobody the way around", () => {
    const locking = logPolicies({ bucket: "log-bucket", prefix, account: "123456789012", objectLock: true });
    const may = (role: PolicyRole, action: string, key?: string): boolean =>
      ask([locking.iam(role), locking.bucket], action, { ...(key !== undefined && { key }) }) === "allowed";
    const [event = ""] = events;
    for (const role of POLICY_ROLES) {
      const appends = role === "writer" || role === "operator" || role === "admin";
      expect(may(role, "PutObjectRetention", event), role).toBe(appends);
      expect(may(role, "PutObjectRetention", keys.head), role).toBe(false);
      for (const action of ["GetObjectVersion", "GetObjectRetention", "GetObjectLegalHold", "PutObjectLegalHold"])
        for (const key of [event, segment]) expect(may(role, action, key), `${role} ${action}`).toBe(role === "admin");
      expect(may(role, "ListBucketVersions"), role).toBe(role === "admin");
      for (const action of ["BypassGovernanceRetention", "DeleteObjectVersion"])
        expect(may(role, action, event), role).toBe(false);
      // Without it nothing of this is given.
      expect(as(role, "PutObjectRetention", event), role).toBe("not-allowed");
      expect(JSON.stringify(locking.iam(role)).length).toBeLessThan(6_144);
    }
  });

  it("are within AWS's limits, with statements that have a name", () => {
    for (const document of [bucket, ...POLICY_ROLES.map((role) => iam(role))]) {
      expect(document.Version).toBe("2012-10-17");
      const sids = document.Statement.map(({ Sid }) => Sid);
      expect(new Set(sids).size).toBe(sids.length);
      for (const sid of sids) expect(sid).toMatch(/^[A-Za-z0-9]+$/);
      // A managed policy has at most 6,144 characters without white space, a bucket policy 20 KB.
      expect(JSON.stringify(document).length).toBeLessThan(6_144);
    }
  });
});

describe("logPolicies", () => {
  it("exempts a head of another name, and refuses one that wildcards cannot tell from an event", () => {
    const { bucket, iam } = logPolicies({ bucket: "b-1", prefix: "log", headKey: "heads/log.json" });
    const put = (policies: readonly unknown[]): PolicyDecision =>
      evaluatePolicies(policies, {
        action: "s3:PutObject",
        resource: "arn:aws:s3:::b-1/heads/log.json",
        principal: SOMEBODY,
        context: { ...TLS, ...REPLACE },
      });
    expect(put([iam("writer"), bucket])).toBe("allowed");
    const headKey = "log/1_the_head.json";
    expect(() => logPolicies({ bucket: "b-1", prefix: "log", headKey })).toThrow(
      expect.objectContaining({ code: "INVALID_CONFIG" }) as Error,
    );
  });

  it("writes ARNs of the region's partition", () => {
    for (const [region, partition] of [
      ["cn-north-1", "aws-cn"],
      ["us-gov-west-1", "aws-us-gov"],
      ["eu-central-1", "aws"],
    ])
      expect(logPolicies({ bucket: "b-1", region }).bucket.Statement[0]?.Resource[0]).toBe(
        `arn:${partition ?? ""}:s3:::b-1/events/0?????????.json`,
      );
  });

  it("refuses what is no bucket, account or ARN", () => {
    for (const bad of [
      { bucket: "x*y" },
      { bucket: "" },
      { bucket: "b-1", account: "12" },
      { bucket: "b-1", deleters: ["pruner"] },
      { bucket: "b-1", deleters: ["*"] },
    ])
      expect(() => logPolicies(bad)).toThrow(expect.objectContaining({ code: "INVALID_CONFIG" }) as Error);
  });
});
