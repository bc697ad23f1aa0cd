import { describe, expect, it } from "vitest";
import { changeRules, parseRules, ruleXml, sameRule } from "../../../src/objects/s3/lifecycle-rules.js";

const document = (rules: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${rules}</LifecycleConfiguration>`;

const OLD =
  "<Rule><ID>a &amp; b</ID><Prefix>logs/</Prefix><Status>Disabled</Status><Expiration><Days>3</Days></Expiration></Rule>";
const RICH = `<Rule>
    <Filter><And><Prefix>p/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>
    <Status>Enabled</Status><ID>rich</ID><!-- kept -->
    <Transition><StorageClass>GLACIER</StorageClass><Days>30</Days></Transition>
    <Transition><Days>60</Days><StorageClass>DEEP_ARCHIVE</StorageClass></Transition>
    <Unheard><Of><Before>1</Before></Of></Unheard>
  </Rule>`;

describe("lifecycle documents", () => {
  it("are read as rules: what they are about and what they do", () => {
    const rules = parseRules(document(OLD + RICH));
    expect(rules).toMatchObject([
      { id: "a & b", enabled: false, prefix: "logs/", narrowed: false, parts: ["Expiration Days=3"], raw: OLD },
      {
        id: "rich",
        enabled: true,
        prefix: "p/",
        narrowed: true,
        parts: [
          "Filter And.Tag.Key=k And.Tag.Value=v",
          "Transition Days=30 StorageClass=GLACIER",
          "Transition Days=60 StorageClass=DEEP_ARCHIVE",
          "Unheard Of.Before=1",
        ],
        raw: RICH,
      },
    ]);
  });

  it("are changed without touching a byte of what stays", () => {
    const xml = document(`<!-- head --> ${OLD}<Odd x="1"/>\n${RICH} <!-- </LifecycleConfiguration> -->`);
    const added = ruleXml({ id: "new", prefix: "a&b/", expirationDays: 7 });
    expect(changeRules(xml, new Set(), [])).toBe(xml);
    const end = "</LifecycleConfiguration>";
    expect(changeRules(xml, new Set([OLD]), [added])).toBe(
      `${xml.replace(OLD, "").slice(0, -end.length)}${added}${end}`,
    );
    expect(parseRules(changeRules(xml, new Set(), [added]) ?? "")?.at(-1)).toMatchObject({
      id: "new",
      enabled: true,
      prefix: "a&b/",
      parts: ["Expiration Days=7"],
    });
  });

  it("begin with the first rule and end with the last", () => {
    const added = ruleXml({ id: "new", prefix: "", transition: { days: 1, storageClass: "GLACIER" } });
    expect(changeRules(null, new Set(), [added])).toBe(document(added));
    expect(changeRules(document(""), new Set(), [added])).toBe(document(added));
    expect(changeRules(document(OLD), new Set([OLD]), [])).toBeNull();
  });

  it("are not changed when they are not understood well enough", () => {
    for (const xml of [
      "",
      "<Error/>",
      document(OLD).replace("</Rule>", ""),
      `<s:LifecycleConfiguration xmlns:s="x">${OLD}</s:LifecycleConfiguration>`,
      document(OLD.replaceAll("Rule>", "s:Rule>")),
      `<!DOCTYPE x [<!ENTITY e "x">]>${document(OLD.replace("logs", "&e;"))}`,
    ])
      expect(parseRules(xml), xml).toBeNull();
  });

  it("hold the same rule when it means the same, whatever the spelling", () => {
    const rule = (inner: string) => parseRules(document(`<Rule>${inner}</Rule>`))![0]!;
    const base = "<Status>Enabled</Status><Transition><Days>1</Days><StorageClass>X</StorageClass></Transition>";
    const a = rule(`<ID>i</ID><Prefix>p/</Prefix>${base}`);
    expect(
      sameRule(
        a,
        rule(
          ` <Transition>\n<StorageClass>X</StorageClass><Days>1</Days></Transition><Status>Enabled</Status><Filter><Prefix>p/</Prefix></Filter><ID>i</ID>`,
        ),
      ),
    ).toBe(true);
    const [first, second] = ["<A><Days>1</Days></A>", "<A><Days>2</Days></A>"];
    expect(sameRule(rule(first + second), rule(second + first)), "in another order").toBe(true);
    for (const other of [
      `<ID>i</ID><Prefix>q/</Prefix>${base}`,
      `<ID>j</ID><Prefix>p/</Prefix>${base}`,
      `<ID>i</ID><Prefix>p/</Prefix>${base.replace("Enabled", "Disabled")}`,
      `<ID>i</ID><Prefix>p/</Prefix>${base.replace("<Days>1", "<Days>2")}`,
      `<ID>i</ID><Prefix>p/</Prefix>${base}<Expiration><Days>1</Days></Expiration>`,
      `<ID>i</ID><Filter><And><Prefix>p/</Prefix><Tag><Key>k</Key><Value/></Tag></And></Filter>${base}`,
    ])
      expect(sameRule(a, rule(other)), other).toBe(false);
  });
});
