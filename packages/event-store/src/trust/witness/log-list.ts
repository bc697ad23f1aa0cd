import { ConfigError } from "../../core/errors.js";
import { parseVerifierKey, type VerifierKey } from "../note/key.js";

/**
 * The logs that a witness knows: a verifier key a line, alone or as C2SP tlog-policy has it (`log VKEY [URL]`; its lines about witnesses,
 * groups and quorums are left alone). Lines that begin with # say nothing. Several keys of one name are one log's.
 * @throws ConfigError that names the line
 */
export function parseLogList(text: string): VerifierKey[] {
  const keys: VerifierKey[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const words = line.split(/[ \t\r]+/).filter((word) => word !== "");
    const [first = "#", second = ""] = words;
    if (first.startsWith("#") || ["witness", "group", "quorum"].includes(first)) continue;
    const key = keyOf(first === "log" ? second : first, index + 1);
    const same = keys.find(({ publicKey }) => publicKey.equals(key.publicKey));
    if (same !== undefined)
      throw new ConfigError(`line ${String(index + 1)} of the logs has the key of ${same.name} again`);
    keys.push(key);
  }
  if (keys.length === 0)
    throw new ConfigError("there are no logs to witness", { hint: "give one verifier key a line" });
  return keys;
}

function keyOf(text: string, line: number): VerifierKey {
  let key: VerifierKey;
  try {
    key = parseVerifierKey(text);
  } catch (cause) {
    throw new ConfigError(`line ${String(line)} of the logs is no verifier key`, {
      hint: "a line is NAME+ID+KEY, as the log's operator published it",
      cause,
    });
  }
  if (key.type !== "ed25519") throw new ConfigError(`line ${String(line)} of the logs is a witness's key, not a log's`);
  return key;
}
