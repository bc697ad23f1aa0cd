import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { ConfigError } from "../../../src/core/errors.js";
import {
  CredentialCache,
  credentialProvider,
  type CredentialOptions,
  type S3Credentials,
  type S3CredentialsProvider,
} from "../../../src/objects/s3/credentials.js";

const PAIR = { accessKeyId: "id", secretAccessKey: "secret" };
const ENV = { AWS_ACCESS_KEY_ID: "env-id", AWS_SECRET_ACCESS_KEY: "env-secret" };

describe("where credentials come from", () => {
  it("options, then the environment", async () => {
    const found = (options: CredentialOptions) => credentialProvider(options)();
    expect(await found({ ...PAIR, env: ENV })).toMatchObject(PAIR);
    expect(await found({ credentials: { ...PAIR, sessionToken: "t" }, env: ENV })).toMatchObject({
      ...PAIR,
      sessionToken: "t",
    });
    expect(
      await found({ credentials: async () => ({ accessKeyId: "fn", secretAccessKey: "s" }), ...PAIR, env: ENV }),
    ).toMatchObject({ accessKeyId: "fn" });
    expect(await found({ env: { ...ENV, AWS_SESSION_TOKEN: "token" } })).toMatchObject({
      accessKeyId: "env-id",
      secretAccessKey: "env-secret",
      sessionToken: "token",
    });
    expect(await found({ accessKeyId: "", secretAccessKey: "", env: ENV }), "empty is none").toMatchObject({
      accessKeyId: "env-id",
    });
    expect(await found({ env: { ...ENV, AWS_SESSION_TOKEN: "" } })).toMatchObject({ sessionToken: undefined });
  });

  const BAD: readonly (readonly [CredentialOptions, RegExp])[] = [
    [{ accessKeyId: "hush-1", env: {} }, /secretAccessKey is missing/],
    [{ secretAccessKey: "hush-1", env: {} }, /accessKeyId is missing/],
    [{ sessionToken: "hush-1", env: {} }, /accessKeyId is missing/],
    [{ env: { AWS_ACCESS_KEY_ID: "hush-1" } }, /AWS_SECRET_ACCESS_KEY is missing/],
    [{ env: { AWS_SECRET_ACCESS_KEY: "hush-1" } }, /AWS_ACCESS_KEY_ID is missing/],
    [{ env: { ...ENV, AWS_SECRET_ACCESS_KEY: "hush-1\n" } }, /AWS_SECRET_ACCESS_KEY has white space/],
    [{ accessKeyId: "hush-1 ", secretAccessKey: "x", env: {} }, /accessKeyId has white space/],
  ];
  it.each(BAD)("half a pair or a stray newline is refused at once: %j", (options, problem) => {
    let error: unknown;
    try {
      credentialProvider(options);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(ConfigError);
    const { message, hint } = error as ConfigError;
    expect(message).toMatch(problem);
    expect(hint).toBeTruthy();
    expect(`${message} ${hint ?? ""}`).not.toContain("hush-1");
  });

  describe("AWS's own chain, when nothing else is set", () => {
    afterEach(() => {
      vi.unstubAllEnvs();
    });

    it("reads a profile", async () => {
      const folder = await mkdtemp(join(tmpdir(), "credentials-"));
      const file = join(folder, "credentials");
      await writeFile(file, "[logs]\naws_access_key_id = from-profile\naws_secret_access_key = hush\n");
      vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", file);
      vi.stubEnv("AWS_CONFIG_FILE", join(folder, "none"));
      vi.stubEnv("AWS_PROFILE", "logs");
      expect(await credentialProvider({ env: {} })()).toMatchObject({
        accessKeyId: "from-profile",
        secretAccessKey: "hush",
      });
      await rm(folder, { recursive: true });
    });
  });
});

function script(given: readonly (S3Credentials | Error)[]): {
  provider: S3CredentialsProvider;
  asked: (boolean | undefined)[];
} {
  const asked: (boolean | undefined)[] = [];
  return {
    asked,
    provider: async (options) => {
      const next = given[Math.min(asked.push(options?.forceRefresh), given.length) - 1]!;
      if (next instanceof Error) throw next;
      return next;
    },
  };
}

const MINUTE = 60_000;
const until = (id: string, minutes: number): S3Credentials => ({
  accessKeyId: id,
  secretAccessKey: "s",
  expiration: new Date(minutes * MINUTE),
});

describe("keeping credentials", () => {
  it("asks once, however many want them", async () => {
    const { provider, asked } = script([PAIR]);
    const cache = new CredentialCache(provider, () => 0);
    expect(await Promise.all([cache.get(), cache.get(), cache.get()])).toEqual([PAIR, PAIR, PAIR]);
    expect(cache.get(), "later without a promise").toBe(PAIR);
    expect(asked).toEqual([undefined]);
  });

  it("fetches new ones five minutes before the old ones end, which serve until those are there", async () => {
    let now = 0;
    const { provider, asked } = script([until("first", 60), until("second", 120)]);
    const cache = new CredentialCache(provider, () => now);
    await cache.get();
    now = 54.9 * MINUTE;
    expect(cache.get()).toMatchObject({ accessKeyId: "first" });
    expect(asked).toHaveLength(1);
    now = 55.1 * MINUTE;
    expect(cache.get(), "nobody waits").toMatchObject({ accessKeyId: "first" });
    await new Promise(setImmediate);
    expect(cache.get()).toMatchObject({ accessKeyId: "second" });
    expect(asked).toEqual([undefined, true]);
  });

  it("goes on with the old ones while new ones cannot be had, and fails only when they end", async () => {
    let now = 0;
    const down = new Error("token service is down");
    const { provider, asked } = script([until("first", 60), down, down, down]);
    const cache = new CredentialCache(provider, () => now);
    await cache.get();
    now = 56 * MINUTE;
    for (let i = 0; i < 5; i++) {
      expect(cache.get()).toMatchObject({ accessKeyId: "first" });
      await new Promise(setImmediate);
    }
    expect(asked, "one failure rests for a while").toHaveLength(2);
    now = 57 * MINUTE;
    expect(cache.get()).toMatchObject({ accessKeyId: "first" });
    await new Promise(setImmediate);
    expect(asked).toHaveLength(3);
    now = 60 * MINUTE;
    await expect(cache.get()).rejects.toBe(down);
  });

  it("asks again after a failure", async () => {
    const { provider } = script([new Error("down"), PAIR]);
    const cache = new CredentialCache(provider, () => 0);
    await expect(cache.get()).rejects.toThrow("down");
    expect(await cache.get()).toBe(PAIR);
  });

  it("knows whether a refused set was replaced", async () => {
    const { provider, asked } = script([until("a", 60), until("b", 60), until("b", 60), new Error("down")]);
    const cache = new CredentialCache(provider, () => 0);
    const first = await cache.get();
    expect(await cache.renewed(first)).toBe(true);
    const second = await cache.get();
    expect(second).toMatchObject({ accessKeyId: "b" });
    expect(await cache.renewed(first), "another request renewed them already").toBe(true);
    expect(asked).toHaveLength(2);
    expect(await cache.renewed(second), "the same again").toBe(false);
    expect(await cache.renewed(second), "a failure").toBe(false);
  });
});
