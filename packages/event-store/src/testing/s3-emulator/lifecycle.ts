import { refusal, xmlAnswer, answer, type Answer, type S3Request } from "./answer.js";

const MINIMUM_SIZE = "x-amz-transition-default-minimum-object-size";
const DEFAULT_MINIMUM = "all_storage_classes_128K";
const LEAST_IA_DAYS = 30;

/** The lifecycle rules of one bucket, kept as they came. */
export class LifecycleRules {
  #xml: string | null = null;
  #minimumSize = DEFAULT_MINIMUM;

  get xml(): string | null {
    return this.#xml;
  }

  set xml(xml: string | null) {
    this.#xml = xml;
  }

  get(): Answer {
    if (this.#xml === null)
      return refusal(404, "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist");
    return xmlAnswer(200, this.#xml, { [MINIMUM_SIZE]: this.#minimumSize });
  }

  /** Checks what AWS checks of rules such as ours, and that a digest came along. */
  put({ headers }: S3Request, body: Buffer): Answer {
    if (!headers.has("content-md5") && ![...headers.keys()].some((name) => name.startsWith("x-amz-checksum-")))
      return refusal(
        400,
        "InvalidRequest",
        "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
      );
    const xml = body.toString();
    const rules = xml.match(/<Rule>.*?<\/Rule>/gs) ?? [];
    if (rules.length === 0 || !/<LifecycleConfiguration[\s>]/.test(xml) || rules.some((rule) => !isWhole(rule)))
      return refusal(400, "MalformedXML", "The XML you provided was not well-formed");
    const ids = rules.map((rule) => /<ID>(.*?)<\/ID>/s.exec(rule)?.[1]).filter((id) => id !== undefined);
    if (new Set(ids).size < ids.length) return refusal(400, "InvalidArgument", "Rule ID must be unique.");
    const early = rules.some((rule) => {
      const [, days] = /<Transition><Days>(\d+)<\/Days><StorageClass>STANDARD_IA</.exec(rule) ?? [];
      return days !== undefined && Number(days) < LEAST_IA_DAYS;
    });
    if (early)
      return refusal(400, "InvalidArgument", "'Days' in Transition action must be greater than or equal to 30");
    this.#xml = xml;
    this.#minimumSize = headers.get(MINIMUM_SIZE) ?? DEFAULT_MINIMUM;
    return answer(200);
  }

  delete(): Answer {
    this.#xml = null;
    this.#minimumSize = DEFAULT_MINIMUM;
    return answer(204);
  }
}

function isWhole(rule: string): boolean {
  return /<Status>(Enabled|Disabled)<\/Status>/.test(rule) && /<(Filter|Prefix)\b/.test(rule);
}
