/*
 * What a policy says of a request: the part of AWS's evaluation that is about statements, enough to tell whether a bucket's policy
 * protects a log. What it does not know (an operator, a policy variable) makes a statement undecided, never decided.
 * Source: AWS IAM user guide, "Policy evaluation logic" and "JSON policy elements".
 */

/** A request, as policies see it. */
export interface PolicyRequest {
  /** `s3:PutObject`. */
  readonly action: string;
  /** `arn:aws:s3:::bucket/key`. */
  readonly resource: string;
  /** ARN of who asks. */
  readonly principal: string;
  /** Condition keys that the request has, in any case: `s3:if-none-match`, `aws:SecureTransport` … */
  readonly context?: Readonly<Record<string, string>>;
}

/** `undecided`: there is a statement that may deny it, which this does not understand. */
export type PolicyDecision = "allowed" | "denied" | "not-allowed" | "undecided";

type Answer = true | false | "unknown";

/** What the policies say together: a Deny of any outweighs every Allow. Documents are read as they are: they may be anybody's. */
export function evaluatePolicies(policies: readonly unknown[], request: PolicyRequest): PolicyDecision {
  let allowed = false;
  let undecided = false;
  for (const statement of policies.flatMap(statementsOf)) {
    const applies = appliesTo(statement, request);
    const denies = text(statement["Effect"]) === "Deny";
    if (denies && applies === true) return "denied";
    if (denies && applies === "unknown") undecided = true;
    if (!denies && applies === true) allowed = true;
  }
  if (undecided) return "undecided";
  return allowed ? "allowed" : "not-allowed";
}

type Fields = Readonly<Record<string, unknown>>;

function statementsOf(policy: unknown): Fields[] {
  const list = isFields(policy) ? policy["Statement"] : undefined;
  return (Array.isArray(list) ? (list as unknown[]) : [list]).filter(isFields);
}

function appliesTo(statement: Fields, request: PolicyRequest): Answer {
  return every([
    named(statement, "Action", (pattern) => matches(pattern.toLowerCase(), request.action.toLowerCase())),
    named(statement, "Resource", (pattern) => matches(pattern, request.resource)),
    principal(statement, request.principal),
    conditions(statement["Condition"], request),
  ]);
}

/** `Action` or `NotAction`, `Resource` or `NotResource`. */
function named(statement: Fields, element: string, match: (pattern: string) => Answer): Answer {
  const inverted = statement[`Not${element}`];
  if (inverted !== undefined) return not(some(listOf(inverted).map(match)));
  return some(listOf(statement[element]).map(match));
}

/** Identity policies name none: they are of whoever has them. */
function principal(statement: Fields, arn: string): Answer {
  const given = statement["Principal"];
  const inverted = statement["NotPrincipal"];
  if (given === undefined && inverted === undefined) return true;
  const among = (value: unknown): Answer => {
    if (value === "*") return true;
    if (!isFields(value)) return "unknown";
    return some(listOf(value["AWS"]).map((each) => each === "*" || isAccountOrSelf(each, arn)));
  };
  return inverted === undefined ? among(given) : not(among(inverted));
}

/** An ARN, an account's root ARN, or an account's number. */
function isAccountOrSelf(each: string, arn: string): boolean {
  if (each === arn) return true;
  const account = arn.split(":")[4] ?? "";
  return account !== "" && (each === account || new RegExp(`^arn:[a-z-]+:iam::${account}:root$`).test(each));
}

function conditions(value: unknown, { principal: arn, context = {} }: PolicyRequest): Answer {
  if (value === undefined) return true;
  if (!isFields(value)) return "unknown";
  const present = new Map(
    Object.entries({ "aws:PrincipalArn": arn, ...context }).map(([key, v]) => [key.toLowerCase(), v]),
  );
  return every(
    Object.entries(value).flatMap(([operator, keys]) =>
      isFields(keys)
        ? Object.entries(keys).map(([key, wanted]) =>
            condition(operator, present.get(key.toLowerCase()), listOf(wanted)),
          )
        : ["unknown" as const],
    ),
  );
}

const EQUAL = (wanted: string, actual: string): Answer => (hasVariable(wanted) ? "unknown" : wanted === actual);
const OPERATORS: Readonly<Record<string, (wanted: string, actual: string) => Answer>> = {
  stringequals: EQUAL,
  stringequalsignorecase: (wanted, actual) => EQUAL(wanted.toLowerCase(), actual.toLowerCase()),
  stringlike: matches,
  arnequals: matches,
  arnlike: matches,
  bool: (wanted, actual) => wanted.toLowerCase() === actual.toLowerCase(),
};

function condition(operator: string, actual: string | undefined, wanted: readonly string[]): Answer {
  const name = operator.toLowerCase();
  if (name === "null") return some(wanted.map((each) => (each.toLowerCase() === "true") === (actual === undefined)));
  const ifExists = name.endsWith("ifexists");
  const plain = ifExists ? name.slice(0, -"ifexists".length) : name;
  const negated = /^(string|arn)not/.test(plain);
  const test = OPERATORS[negated ? plain.replace("not", "") : plain];
  if (test === undefined) return "unknown";
  // A key that is not there: nothing is like it, and everything is unlike it.
  if (actual === undefined) return ifExists || negated;
  const found = some(wanted.map((each) => test(each, actual)));
  return negated ? not(found) : found;
}

/** `*`: any characters, `?`: any one, slashes among them; `${*}`, `${?}` and `${$}` are the characters themselves. */
function matches(pattern: string, actual: string): Answer {
  let source = "";
  for (let i = 0; i < pattern.length; i++) {
    const literal = /^\$\{([*?$])\}/.exec(pattern.slice(i, i + 4))?.[1];
    if (literal !== undefined) {
      source += `\\${literal}`;
      i += 3;
    } else if (pattern.startsWith("${", i)) return "unknown";
    else if (pattern[i] === "*") source += ".*";
    else if (pattern[i] === "?") source += ".";
    else source += (pattern[i] ?? "").replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  }
  return new RegExp(`^${source}$`, "s").test(actual);
}

function hasVariable(text: string): boolean {
  return text.includes("${");
}

function every(answers: readonly Answer[]): Answer {
  if (answers.includes(false)) return false;
  return answers.includes("unknown") ? "unknown" : true;
}

function some(answers: readonly Answer[]): Answer {
  if (answers.includes(true)) return true;
  return answers.includes("unknown") ? "unknown" : false;
}

function not(answer: Answer): Answer {
  return answer === "unknown" ? answer : !answer;
}

function listOf(value: unknown): string[] {
  return (Array.isArray(value) ? (value as unknown[]) : [value]).filter((each) => each !== undefined).map(text);
}

function text(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
