import type {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { ConfigError } from "../../core/errors.js";

/** The commands of `@aws-sdk/client-s3` that are used. */
export interface S3Commands {
  readonly PutObjectCommand: typeof PutObjectCommand;
  readonly GetObjectCommand: typeof GetObjectCommand;
  readonly HeadObjectCommand: typeof HeadObjectCommand;
  readonly ListObjectsV2Command: typeof ListObjectsV2Command;
  readonly DeleteObjectCommand: typeof DeleteObjectCommand;
}

/** @throws ConfigError when the package is not installed */
export async function loadCommands(): Promise<S3Commands> {
  try {
    return await import("@aws-sdk/client-s3");
  } catch (cause) {
    throw new ConfigError("the package @aws-sdk/client-s3 cannot be loaded", {
      hint: "npm install @aws-sdk/client-s3, or give its commands in the option `commands`; openS3Objects needs neither",
      cause,
    });
  }
}

/** What became of the one request of a command. */
export interface Sending {
  /** The command reached the client's HTTP handler. */
  sent: boolean;
  /** It was held back behind its signing: its time was over, or no time to judge it by was signed. */
  held?: "expired" | "undated";
  /** `scheme://host[:port]` */
  endpoint?: string;
  /** Of the answer, when there was one. */
  status?: number;
  headers?: Record<string, string>;
}

export type S3Command = InstanceType<S3Commands[keyof S3Commands]>;

/**
 * Makes a command be sent once, whatever the client's retry settings are: a client that repeats a conditional write by
 * itself turns "stored, but the answer was lost" into "somebody else's". The retry step is replaced by one that does not
 * retry; and should a client retry elsewhere, the last step before the wire refuses to send again. The same step holds back what
 * was signed with a time past `notAfter`, Unix milliseconds.
 */
export function sendOnce(command: S3Command, notAfter?: number): Sending {
  // The commands' stacks differ only in the types of inputs and outputs, which no step here looks at.
  const stack = command.middlewareStack as PutObjectCommand["middlewareStack"];
  const sending: Sending = { sent: false };
  stack.add((next) => (args) => next(args), {
    step: "finalizeRequest",
    name: "retryMiddleware",
    tags: ["RETRY"],
    priority: "high",
    override: true,
  });
  stack.add(
    (next) => async (args) => {
      // After a 301 it may: a client that follows a bucket to its region.
      if (sending.sent && sending.status !== 301) throw new Error("the client tried to send a request again");
      if (notAfter !== undefined) {
        const signedAt = signingTimeOf(args.request);
        if (signedAt === null || signedAt > notAfter) {
          sending.held = signedAt === null ? "undated" : "expired";
          throw new Error("held back");
        }
      }
      sending.sent = true;
      Object.assign(sending, { endpoint: endpointOf(args.request) });
      const result = await next(args);
      Object.assign(sending, answerOf(result.response));
      return result;
    },
    { step: "deserialize", name: "sendOnce", priority: "low" },
  );
  return sending;
}

/** When the request says that it was signed, Unix milliseconds; null when it does not. */
function signingTimeOf(request: unknown): number | null {
  const { headers } = (request ?? {}) as { headers?: Readonly<Record<string, string | undefined>> };
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(headers?.["x-amz-date"] ?? "");
  if (parts === null) return null;
  const [year = 0, month = 0, day, hour, minute, second] = parts.slice(1).map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

function endpointOf(request: unknown): string | undefined {
  if (typeof request !== "object" || request === null) return undefined;
  const { protocol, hostname, port } = request as { protocol?: unknown; hostname?: unknown; port?: unknown };
  if (typeof protocol !== "string" || typeof hostname !== "string") return undefined;
  return `${protocol}//${hostname}${typeof port === "number" ? `:${String(port)}` : ""}`;
}

function answerOf(response: unknown): { status?: number; headers?: Record<string, string> } {
  if (typeof response !== "object" || response === null) return {};
  const { statusCode, headers } = response as { statusCode?: unknown; headers?: unknown };
  return {
    ...(typeof statusCode === "number" ? { status: statusCode } : {}),
    ...(typeof headers === "object" && headers !== null ? { headers: headers as Record<string, string> } : {}),
  };
}
