import { describe, expect, it } from "vitest";
import { evaluatePolicies, type PolicyDecision } from "../../../src/stores/hardening/policy-evaluation.js";

const ME = "arn:aws:iam::123456789012:role/me";

function decide(statements: object | object[], request: Record<string, unknown> = {}): PolicyDecision {
  return evaluatePolicies([{ Statement: statements }], {
    action: "s3:PutObject",
    resource: "arn:aws:s3:::b/p/0000000001.json",
    principal: ME,
    ...request,
  });
}

const allow = { Effect: "Allow", Action: "*", Resource: "*" };
const deny = { Effect: "Deny", Principal: "*", Action: "s3:PutObject", Resource: "arn:aws:s3:::b/*" };

describe("evaluatePolicies", () => {
  it("a Deny outweighs every Allow, and without an Allow nothing is allowed", () => {
    expect(decide([])).toBe("not-allowed");
    expect(decide(allow)).toBe("allowed");
    expect(decide([deny, allow])).toBe("denied");
    expect(decide([allow, { ...deny, Action: ["s3:GetObject", "S3:put*"] }])).toBe("denied");
    expect(decide([allow, { ...deny, Action: "s3:PutObjectTagging" }])).toBe("allowed");
    expect(evaluatePolicies(["no policy", null, { Statement: 7 }], { action: "a", resource: "r", principal: ME })).toBe(
      "not-allowed",
    );
  });

  it("wildcards match slashes; escaped ones match themselves; keys are case-sensitive", () => {
    const on = (Resource: string | string[]): PolicyDecision => decide([allow, { ...deny, Resource }]);
    expect(on("arn:aws:s3:::b/p/??????????.json")).toBe("denied");
    expect(on("arn:aws:s3:::b/p/?????????.json")).toBe("allowed");
    expect(on("arn:aws:s3:::b/????????????.json")).toBe("denied");
    expect(on("arn:aws:s3:::b/P/*")).toBe("allowed");
    expect(on(["x", "arn:aws:s3:::*"])).toBe("denied");
    expect(on("arn:aws:s3:::b/p/0000000001${?}json")).toBe("allowed");
    expect(on("arn:aws:s3:::b/p/${aws:username}")).toBe("undecided");
    expect(decide([allow, { ...deny, Resource: undefined, NotResource: "arn:aws:s3:::b/p/_*" }])).toBe("denied");
    expect(decide([allow, { ...deny, Resource: undefined, NotResource: "arn:aws:s3:::b/p/*" }])).toBe("allowed");
    expect(decide([allow, { ...deny, Action: undefined, NotAction: "s3:GetObject" }])).toBe("denied");
  });

  it("principals", () => {
    const of = (Principal: unknown): PolicyDecision => decide([allow, { ...deny, Principal }]);
    expect(of({ AWS: "*" })).toBe("denied");
    expect(of({ AWS: ["123456789012"] })).toBe("denied");
    expect(of({ AWS: "arn:aws:iam::123456789012:root" })).toBe("denied");
    expect(of({ AWS: "arn:aws:iam::123456789012:role/other" })).toBe("allowed");
    expect(of({ Service: "s3.amazonaws.com" })).toBe("allowed");
    expect(decide([allow, { ...deny, Principal: undefined, NotPrincipal: { AWS: ME } }])).toBe("allowed");
  });

  it("conditions", () => {
    const when = (Condition: unknown, context: Record<string, string> = {}): boolean | string => {
      const decision = decide([allow, { ...deny, Condition }], { context });
      return decision === "undecided" ? decision : decision === "denied";
    };
    const header = { "S3:If-None-Match": "*" };
    expect(when({ Null: { "s3:if-none-match": "true" } })).toBe(true);
    expect(when({ Null: { "s3:if-none-match": "true" } }, header)).toBe(false);
    expect(when({ Null: { "s3:if-none-match": "false" } }, header)).toBe(true);
    expect(when({ StringNotEquals: { "s3:if-none-match": "*" } })).toBe(true);
    expect(when({ StringNotEquals: { "s3:if-none-match": "*" } }, header)).toBe(false);
    expect(when({ StringEquals: { "s3:if-none-match": ["x", "*"] } }, header)).toBe(true);
    expect(when({ StringEqualsIfExists: { "s3:prefix": "p" } })).toBe(true);
    expect(when({ StringLike: { "s3:prefix": "p/*" } }, { "s3:prefix": "p/" })).toBe(true);
    expect(when({ StringLike: { "s3:prefix": "p/*" } })).toBe(false);
    expect(when({ Bool: { "aws:SecureTransport": "false" } }, { "aws:SecureTransport": "false" })).toBe(true);
    expect(when({ Bool: { "aws:SecureTransport": "false" } })).toBe(false);
    expect(when({ ArnNotLike: { "aws:PrincipalArn": ["arn:aws:iam::*:role/m?", "x"] } })).toBe(false);
    expect(when({ ArnNotEquals: { "aws:PrincipalArn": "arn:aws:iam::1:role/x" } })).toBe(true);
    // All must hold.
    expect(when({ Null: { a: "true", "s3:if-none-match": "true" } }, { a: "1" })).toBe(false);
    expect(when({ NumericLessThan: { "s3:max-keys": "5" } })).toBe("undecided");
    expect(when({ NumericLessThan: { "s3:max-keys": "5" }, Null: { x: "false" } })).toBe(false);
    expect(when({ StringEquals: { "aws:username": "${x}" } }, { "aws:username": "me" })).toBe("undecided");
  });
});
