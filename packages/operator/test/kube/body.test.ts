import { describe, expect, test } from "vitest";
import { BadAnswer, linesOf, parseBody, readAll } from "../../src/kube/body.js";

async function* chunks(...texts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield await Promise.resolve(typeof text === "string" ? Buffer.from(text) : text);
}

async function lines(body: AsyncIterable<Uint8Array>, limit?: number): Promise<string[]> {
  const found: string[] = [];
  for await (const line of linesOf(body, limit)) found.push(line.toString("utf8"));
  return found;
}

describe("a body", () => {
  test("is bounded as a whole", async () => {
    expect((await readAll(chunks("abc", "de"), 5)).toString()).toBe("abcde");
    await expect(readAll(chunks("abc", "def"), 5)).rejects.toThrow(BadAnswer);
  });

  test("is bounded in each of its lines, whether in one chunk or in many", async () => {
    expect(await lines(chunks("abc\nde", "f\n\n", "g\n"), 3)).toEqual(["abc", "def", "g"]);
    await expect(lines(chunks("abcd\n"), 3)).rejects.toThrow(BadAnswer);
    await expect(lines(chunks("ab", "c", "d"), 3)).rejects.toThrow(BadAnswer);
  });

  test("must end with the end of a line", async () => {
    expect(await lines(chunks())).toEqual([]);
    await expect(lines(chunks("a\nb"))).rejects.toThrow(/within a line/);
  });

  test("is JSON in which no integer loses a digit", () => {
    const parse = (text: string): unknown => parseBody(Buffer.from(text));
    expect(parse('{"n":999999999999999}')).toEqual({ n: 999999999999999 });
    expect(parse('{"n":9007199254740992,"m":-9007199254740993}')).toEqual({
      n: 9007199254740992n,
      m: -9007199254740993n,
    });
    const [[key, value] = []] = Object.entries(parse('{"__proto__":{"n":1234567890123456}}') as object) as [
      string,
      unknown,
    ][];
    expect([key, value]).toEqual(["__proto__", { n: 1234567890123456 }]);
    for (const text of ["", "{", '{"n":12345678901234567890', "<html>"]) expect(() => parse(text)).toThrow(BadAnswer);
    expect(() => parseBody(Uint8Array.of(0x22, 0xc3, 0x22))).toThrow(BadAnswer);
  });
});
