import { request } from "node:http";
import { sha256Hex, SigV4 } from "../../src/objects/s3/sigv4.js";
import type { Credentials } from "../../src/testing/s3-emulator/index.js";

export interface RawRequest {
  readonly method?: string;
  /** Escaped, with the bucket. */
  readonly path: string;
  /** Escaped and in order. */
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** What `x-amz-content-sha256` says; default: the truth. */
  readonly bodyHash?: string;
  readonly credentials?: Credentials;
  readonly region?: string;
  /** When it is signed, Unix milliseconds; default: now. */
  readonly at?: number;
  /** Changes after the signature: headers that are set (or left out, with null) and another path, query or body. */
  readonly then?: {
    readonly headers?: Readonly<Record<string, string | null>>;
    readonly path?: string;
    readonly query?: string;
    readonly body?: string;
  };
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** One request on a connection of its own, signed and then sent as it is: nothing is corrected, retried or followed. */
export async function rawS3(endpoint: string, asked: RawRequest): Promise<RawAnswer> {
  const { method = "GET", path, query = "", body = "", then = {}, at = Date.now() } = asked;
  const credentials = asked.credentials ?? { accessKeyId: "test", secretAccessKey: "testsecret" };
  const url = new URL(endpoint);
  const signed = { host: url.host, ...asked.headers };
  const { sessionToken, ...pair } = credentials;
  const flat = new SigV4(asked.region ?? "us-east-1").sign(
    { method, path, query, headers: Object.entries(signed), bodyHash: asked.bodyHash ?? sha256Hex(body) },
    sessionToken === undefined ? pair : { ...pair, sessionToken },
    at,
  );
  const headers: Record<string, string> = { "content-length": String(Buffer.byteLength(then.body ?? body)) };
  for (let i = 0; i + 1 < flat.length; i += 2) headers[flat[i] ?? ""] = flat[i + 1] ?? "";
  for (const [name, value] of Object.entries(then.headers ?? {})) {
    if (value === null) Reflect.deleteProperty(headers, name);
    else headers[name] = value;
  }
  const sentQuery = then.query ?? query;
  const target = (then.path ?? path) + (sentQuery === "" ? "" : `?${sentQuery}`);
  return new Promise((resolve, reject) => {
    const sending = request({ host: url.hostname, port: url.port, method, path: target, headers, agent: false });
    sending.on("error", reject);
    sending.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        });
      });
    });
    sending.end(then.body ?? body);
  });
}

/** `<Code>` of an error document. */
export function codeOf({ body }: RawAnswer): string | undefined {
  return /<Code>([^<]*)<\/Code>/.exec(body)?.[1];
}
