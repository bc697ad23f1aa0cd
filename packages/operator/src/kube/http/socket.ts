import { X509Certificate } from "node:crypto";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, createSecureContext, type SecureContext } from "node:tls";
import { once } from "node:events";
import type { Credentials } from "../config/credentials.js";
import type { KubeConfig } from "../config/server-config.js";
import { KubeError } from "../errors.js";
import { ConnectionError, connectionProblem } from "./exchange.js";

/** Until a connection stands: TCP, TLS, and the first frame of HTTP/2. */
export const CONNECT_MS = 10_000;
const KEEP_ALIVE_MS = 30_000;

export type Protocol = "h2" | "http/1.1";

export interface OpenSocket {
  readonly socket: Socket;
  readonly protocol: Protocol;
}

/** Connects to the server, and with https proves each side to the other. @throws KubeError, ConnectionError */
export async function openSocket(
  config: KubeConfig,
  credentials: Credentials,
  protocols: readonly Protocol[],
): Promise<OpenSocket> {
  const url = new URL(config.server);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const address = { host, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS, noDelay: true };
  if (url.protocol === "http:") {
    const socket = connectTcp({ ...address, port: Number(url.port || "80") });
    await established(socket, "connect", config);
    return { socket, protocol: "http/1.1" };
  }
  const serverName = config.tls.serverName ?? (isIP(host) === 0 ? host : undefined);
  const socket = connectTls({
    ...address,
    port: Number(url.port || "443"),
    secureContext: await trust(config, credentials),
    rejectUnauthorized: config.tls.verify,
    ALPNProtocols: [...protocols],
    ...(serverName === undefined ? {} : { servername: serverName }),
  });
  await established(socket, "secureConnect", config);
  return { socket, protocol: socket.alpnProtocol === "h2" ? "h2" : "http/1.1" };
}

async function trust(config: KubeConfig, { certificate, key }: Credentials): Promise<SecureContext> {
  const ca = await config.tls.ca();
  try {
    // OpenSSL takes what is no certificate for no authority at all, and then trusts nobody.
    if (ca !== undefined) new X509Certificate(ca);
    return createSecureContext({
      ...(ca === undefined ? {} : { ca }),
      ...(certificate === undefined ? {} : { cert: certificate }),
      ...(key === undefined ? {} : { key }),
    });
  } catch (error) {
    // OpenSSL's words name a fault in the PEM, never its contents.
    throw new KubeError(
      "INVALID_CONFIG",
      `${config.source}: a certificate or key of it is not usable: ${connectionProblem(error)}`,
      { facts: { file: config.source, server: config.server } },
    );
  }
}

async function established(socket: Socket, event: string, config: KubeConfig): Promise<void> {
  const late = setTimeout(() => {
    socket.destroy(new Error(`no connection within ${String(CONNECT_MS)} ms`));
  }, CONNECT_MS);
  try {
    await once(socket, event);
  } catch (error) {
    socket.destroy();
    throw new ConnectionError(`cannot connect to ${config.server}: ${connectionProblem(error)}`, {
      unsent: true,
      cause: error,
    });
  } finally {
    clearTimeout(late);
  }
}
