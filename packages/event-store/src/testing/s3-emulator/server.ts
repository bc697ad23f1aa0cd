import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { ObjectMap } from "../../objects/object-map.js";
import type { Answer, S3Request } from "./answer.js";
import { completeRestores } from "./archive.js";
import { FaultTable, type Fault } from "./faults.js";
import { checkLength, readRequest } from "./incoming.js";
import type { Quirks } from "./objects.js";
import { operationOf, S3Service } from "./service.js";
import type { BucketSettings } from "./settings.js";
import type { Version } from "./versions.js";
import { verifySignature, type Credentials } from "./signature.js";

export interface S3EmulatorOptions extends Quirks {
  /** Default: a free one. */
  readonly port?: number | undefined;
  /** Default `127.0.0.1`. */
  readonly host?: string | undefined;
  /** Default `test`. */
  readonly accessKeyId?: string | undefined;
  /** Default `testsecret`. */
  readonly secretAccessKey?: string | undefined;
  readonly sessionToken?: string | undefined;
  /** Buckets that are there from the start; default `events`. */
  readonly buckets?: readonly string[] | undefined;
  /** Refuse requests signed for another region; default: take any. */
  readonly region?: string | undefined;
  /** Waits so long before it processes a request. */
  readonly latencyMs?: number | undefined;
  /** The server's clock, Unix milliseconds: for the Date header, the age of signatures and Last-Modified. */
  readonly now?: (() => number) | undefined;
}

export interface LoggedRequest {
  readonly method: string;
  /** PUT, GET, HEAD, DELETE, LIST, HEAD_BUCKET, PUT_BUCKET … */
  readonly operation: string;
  readonly bucket: string;
  readonly key: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  /** What the client was told; null when it was told nothing (yet). */
  status: number | null;
  /** Name of the fault that the request met. */
  readonly fault: string | null;
}

/** Starts an S3 server in this process: a stand-in that passes the same tests as a real one, and that can fail on demand. */
export async function startS3Emulator(options: S3EmulatorOptions = {}): Promise<S3Emulator> {
  const emulator = new S3Emulator(options);
  await emulator.listen(options.port ?? 0, options.host ?? "127.0.0.1");
  return emulator;
}

export class S3Emulator {
  /** What goes wrong, and when. */
  readonly faults: FaultTable = new FaultTable();
  /** Every request, in the order of arrival. Empty it at will. */
  readonly requests: LoggedRequest[] = [];
  /** May be changed while it runs. */
  credentials: Credentials;
  readonly #options: S3EmulatorOptions;
  readonly #service: S3Service;
  readonly #now: () => number;
  readonly #server = createServer((message, response) => void this.#handle(message, response));
  readonly #late = new Set<() => void>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #endpoint = "";

  /** Use `startS3Emulator`. */
  constructor(options: S3EmulatorOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#service = new S3Service(options, this.#now, options.region);
    for (const name of options.buckets ?? ["events"]) this.#service.buckets.set(name, new ObjectMap());
    const { accessKeyId = "test", secretAccessKey = "testsecret", sessionToken } = options;
    this.credentials = { accessKeyId, secretAccessKey, sessionToken };
    this.#server.keepAliveTimeout = 60_000;
  }

  /** `http://127.0.0.1:port`. */
  get endpoint(): string {
    return this.#endpoint;
  }

  /** The objects of a bucket, to look at and to tamper with. */
  objects(bucket: string): ObjectMap {
    const objects = this.#service.buckets.get(bucket);
    if (objects === undefined) throw new Error(`the emulator has no bucket ${bucket}`);
    return objects;
  }

  /**
   * Ends all restorations that are under way in a bucket: the copies can then be read for so many days (default 1). Returns how
   * many there were. Archive an object with `objects(bucket).change(key, { storageClass: "GLACIER" })`.
   */
  completeRestores(bucket: string, days = 1): number {
    return completeRestores(this.objects(bucket), this.#now() + days * 86_400_000);
  }

  /** The lifecycle rules of a bucket, to look at and to change: a document as S3 has it, or null. */
  lifecycle(bucket: string): { xml: string | null } {
    return this.#service.lifecycle(this.objects(bucket));
  }

  /** The policy of a bucket and its other settings, to look at and to change: documents as S3 has them. The policy is enforced. */
  settings(bucket: string): BucketSettings {
    return this.#service.settings(this.objects(bucket));
  }

  /** The versions of a key, newest first. Versioning and Object Lock are settings: `settings(bucket).enableObjectLock()`. */
  versions(bucket: string, key: string): readonly Version[] {
    return this.#service.history(this.objects(bucket)).of(key);
  }

  /** Processes the requests whose fault was to be applied late, in the order of their arrival; returns how many. */
  releaseLate(): number {
    const late = [...this.#late];
    for (const apply of late) apply();
    return late.length;
  }

  async listen(port: number, host: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject).listen(port, host, resolve);
    });
    const address = this.#server.address();
    const bound = typeof address === "object" && address !== null ? address.port : port;
    this.#endpoint = `http://${host.includes(":") ? `[${host}]` : host}:${String(bound)}`;
  }

  /** Ends every connection at once; late requests that were not released never happen. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#late.clear();
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
      this.#server.closeAllConnections();
    });
  }

  async #handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => undefined);
    const request = await readRequest(message, new Set(this.#service.buckets.keys()));
    if (request === null) return;
    const operation = operationOf(request);
    const fault = this.faults.take({ method: request.method, operation, key: request.key });
    const entry: LoggedRequest = {
      method: request.method,
      operation,
      bucket: request.bucket,
      key: request.key,
      query: Object.fromEntries(request.query),
      headers: Object.fromEntries(request.headers),
      status: null,
      fault: fault?.name ?? null,
    };
    this.requests.push(entry);
    await this.#pause(this.#options.latencyMs);
    const real = this.#process(request, fault);
    await this.#pause(fault?.delayMs);
    this.#reply(request, response, entry, fault?.answer ?? "real", real);
  }

  /** Does what the request asks, as often as the fault says. Null when there is no answer of the server's. */
  #process(request: S3Request, fault: Fault | null): Answer | null {
    if (fault?.apply === "never") return null;
    const { credentials } = this;
    // As of now: what was long on its way is refused for its date, but not for credentials that have changed since.
    const refused = (): Answer | null =>
      checkLength(request) ?? verifySignature(request, { credentials, now: this.#now(), region: this.#options.region });
    const execute = (): Answer => refused() ?? this.#service.execute(request);
    if (fault?.apply === "late") {
      const answered = refused();
      if (answered === null) this.#defer(execute, fault.lateMs);
      return answered;
    }
    if (fault?.apply === "twice") execute();
    return execute();
  }

  #defer(action: () => void, ms: number | undefined): void {
    const apply = (): void => {
      if (this.#late.delete(apply)) action();
    };
    this.#late.add(apply);
    if (ms !== undefined) void this.#pause(ms).then(apply);
  }

  #reply(
    request: S3Request,
    response: ServerResponse,
    entry: LoggedRequest,
    how: Fault["answer"],
    real: Answer | null,
  ): void {
    const { socket } = response;
    if (how === "none") return;
    if (how === "close") return void socket?.destroy();
    if (how === "reset") return void socket?.resetAndDestroy();
    const said = typeof how === "object" ? how : real;
    if (said === null) return void socket?.destroy();
    const length = said.status === 204 ? undefined : String(said.body.length);
    response.sendDate = false;
    response.writeHead(said.status, {
      date: new Date(this.#now()).toUTCString(),
      server: "emulator",
      "x-amz-request-id": "EMULATED",
      ...said.headers,
      ...(length === undefined ? {} : { "content-length": length }),
    });
    if (how === "truncated") {
      truncate(response, request.method === "HEAD" ? Buffer.alloc(0) : said.body);
      return;
    }
    entry.status = said.status;
    response.end(request.method === "HEAD" ? undefined : said.body);
  }

  async #pause(ms: number | undefined): Promise<void> {
    if (ms === undefined || ms <= 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        resolve();
      }, ms);
      this.#timers.add(timer);
    });
  }
}

/** Half the body and no more; of an answer without one, half a status line. */
function truncate(response: ServerResponse, body: Buffer): void {
  const { socket } = response;
  if (body.length === 0) socket?.write("HTTP/1.1 20", () => socket.destroy());
  else response.write(body.subarray(0, body.length >> 1), () => socket?.destroy());
}
