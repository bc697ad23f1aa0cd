import type { Runtime } from "@rynxs/event-store";
import {
  bearer,
  fixedCredentials,
  readConfigFile,
  tokenFile,
  type Credentials,
  type CredentialSource,
} from "./credentials.js";
import { execCredentials, type ExecCluster } from "./exec-plugin.js";
import type { FieldReader } from "./fields.js";

/**
 * What a kubeconfig's user proves itself with. Of several ways a bearer token wins over a name and password, a token file over a
 * token, and either over an exec plugin, as kubectl has it; a client certificate goes with any of them.
 */
export async function userCredentials(
  user: FieldReader | undefined,
  cluster: ExecCluster,
  env: Readonly<Record<string, string | undefined>>,
  runtime: Runtime,
): Promise<CredentialSource> {
  if (user === undefined) return fixedCredentials({});
  for (const unsupported of ["auth-provider", "as", "as-groups", "as-uid", "as-user-extra"]) {
    if (user.has(unsupported)) user.refuse(`has ${unsupported}, which is not supported`);
  }
  const pair = await clientCertificate(user);
  const file = user.path("tokenFile");
  if (file !== undefined) {
    await readConfigFile(file, "token");
    return tokenFile(file, runtime, pair);
  }
  const token = user.text("token");
  if (token !== undefined) return fixedCredentials({ ...pair, authorization: bearer(token, user.file) });
  const name = user.text("username");
  if (name !== undefined) {
    const secret = `${name}:${user.text("password") ?? ""}`;
    return fixedCredentials({ ...pair, authorization: `Basic ${Buffer.from(secret, "utf8").toString("base64")}` });
  }
  if (user.has("exec")) return execCredentials(user, cluster, env, runtime, pair);
  return fixedCredentials(pair);
}

async function clientCertificate(user: FieldReader): Promise<Credentials> {
  const certificate = await user.pem("client-certificate")?.();
  const key = await user.pem("client-key")?.();
  if (certificate === undefined && key === undefined) return {};
  if (certificate === undefined) user.refuse("has a client-key without a client-certificate");
  if (key === undefined) user.refuse("has a client-certificate without a client-key");
  return { certificate, key };
}
