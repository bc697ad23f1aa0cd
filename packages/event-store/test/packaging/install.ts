import { execFile } from "node:child_process";
import { access, constants, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The checkout. */
export const ROOT: string = join(import.meta.dirname, "../../../..");

export interface Tarball {
  readonly filename: string;
  /** Bytes, packed and unpacked. */
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What npm tells the scripts that it runs about its own run: nothing for another npm to read. */
const OF_ANOTHER_NPM = /^npm_(command|execpath|lifecycle_|package_|config_(local_prefix|prefix|workspace))/;

function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !OF_ANOTHER_NPM.test(name)));
}

/** Runs a program to its end, without a shell; never rejects for its exit code. */
export function run(cwd: string, program: string, ...args: string[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const options = { cwd, env: environment(), maxBuffer: 64 * 1024 * 1024 };
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      if (child.exitCode === null) reject(error ?? new Error(`${program} did not end by itself`));
      else resolve({ code: child.exitCode, stdout, stderr });
    });
    child.stdin?.end();
  });
}

/** As `run`, for programs that must succeed: returns what they wrote to standard output. */
export async function succeed(cwd: string, program: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(cwd, program, ...args);
  if (code !== 0) throw new Error(`${[program, ...args].join(" ")} ended with ${String(code)}\n${stdout}${stderr}`);
  return stdout;
}

export interface Installed {
  /** An empty project with both tarballs installed as any user would. */
  readonly folder: string;
  readonly library: Tarball;
  readonly commandLine: Tarball;
  readonly remove: () => Promise<void>;
}

/**
 * Packs both packages as they are built now and installs the tarballs in an empty folder. What they depend on comes from
 * npm's cache, where `npm ci` left it, or else from the registry.
 */
export async function installTarballs(): Promise<Installed> {
  await access(join(ROOT, "packages/event-store/build/index.js"), constants.R_OK);
  const folder = await mkdtemp(join(tmpdir(), "rynxs-tarballs-"));
  const pack = async (workspace: string): Promise<Tarball> => {
    const args = ["pack", "--json", "--ignore-scripts", "--workspace", workspace, "--pack-destination", folder];
    const [tarball] = JSON.parse(await succeed(ROOT, "npm", ...args)) as [Tarball];
    return tarball;
  };
  const library = await pack("@rynxs/event-store");
  const commandLine = await pack("rynxs");
  await writeFile(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  const tarballs = [library, commandLine].map(({ filename }) => `./${filename}`);
  await succeed(folder, "npm", "install", "--prefer-offline", "--no-audit", "--no-fund", ...tarballs);
  // A user of TypeScript brings Node's types along.
  await mkdir(join(folder, "node_modules/@types"), { recursive: true });
  await symlink(join(ROOT, "node_modules/@types/node"), join(folder, "node_modules/@types/node"));
  await symlink(join(ROOT, "node_modules/undici-types"), join(folder, "node_modules/undici-types"));
  return { folder, library, commandLine, remove: () => rm(folder, { recursive: true, force: true }) };
}
