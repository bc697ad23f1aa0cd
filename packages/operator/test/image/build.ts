import { execFile } from "node:child_process";
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { inContext, type Instruction, parseDockerfile, repository, source, type Stage } from "./dockerfile.js";

const shell = promisify(execFile);

export interface Built {
  /** Folder that stands for the final image's root. */
  readonly root: string;
  /** Files that the base images would have given. */
  readonly fromBase: readonly string[];
  /** Of the final stage: PATH and the rest. */
  readonly env: Readonly<Record<string, string>>;
  /** Every RUN step that was carried out. */
  readonly ran: readonly string[];
}

/**
 * Carries out the Dockerfile's own COPY and RUN steps in plain folders, one for each stage, since no container engine runs here. RUN
 * sees this machine's programs in place of the base image's; so it may only work below its WORKDIR, and a step that names another
 * absolute path is refused. What is copied out of a base image is listed, and not there.
 */
export async function build(folder: string): Promise<Built> {
  const { stages } = parseDockerfile(source);
  const roots = new Map<string, string>();
  const bases = new Set<string>();
  const fromBase: string[] = [];
  const ran: string[] = [];
  // as an engine does: each stage as soon as what it copies from is done
  const done = new Map<string, Promise<unknown>>();
  let final: Promise<{ root: string; env: Record<string, string> }> | undefined;
  for (const [index, stage] of stages.entries()) {
    const root = join(folder, stage.name ?? String(index));
    mkdirSync(root);
    if (stage.name !== undefined) roots.set(stage.name, root);
    // a stage without steps only gives a base image a name
    if (stage.instructions.length === 0 && stage.name !== undefined) bases.add(stage.name);
    final = carryOut(stage, root).then((env) => ({ root, env }));
    if (stage.name !== undefined) done.set(stage.name, final);
  }
  if (final === undefined) throw new Error("the Dockerfile has no stage");
  const [result] = await Promise.all([final, ...done.values()]);
  return { ...result, fromBase, ran };

  async function carryOut({ instructions }: Stage, root: string): Promise<Record<string, string>> {
    let workdir = "/";
    const env: Record<string, string> = {};
    for (const step of instructions) {
      if (step.name === "WORKDIR") {
        workdir = resolve(workdir, step.args[0] ?? "");
        mkdirSync(root + workdir, { recursive: true });
      } else if (step.name === "ENV") {
        for (const [, name = "", value = ""] of step.text.matchAll(/(\w+)=(\S+)/g)) env[name] = value;
      } else if (step.name === "RUN") await run(step, root + workdir);
      else if (step.name === "COPY") {
        await done.get(step.flags["from"] ?? "");
        copy(step, root, workdir);
      }
    }
    return env;
  }

  async function run({ args: [command = ""] }: Instruction, cwd: string): Promise<void> {
    if (/(^|[\s=])\//.test(command)) throw new Error(`RUN names an absolute path: ${command}`);
    ran.push(command);
    // what npm run by the tests hands on must not reach the build
    const { PATH, HOME } = process.env;
    const env = { PATH, HOME, npm_config_prefer_offline: "true", npm_config_progress: "false" };
    try {
      await shell("/bin/sh", ["-c", command], { cwd, env });
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      throw new Error(`RUN ${command}\n${stdout}${stderr}`, { cause: error });
    }
  }

  function copy({ flags, args }: Instruction, root: string, workdir: string): void {
    const destination = args.at(-1) ?? "";
    const from = flags["from"];
    for (const path of args.slice(0, -1)) {
      if (from !== undefined && bases.has(from)) {
        fromBase.push(path);
        continue;
      }
      const origin = from === undefined ? join(repository, path) : join(roots.get(from) ?? "", path);
      if (!existsSync(origin)) throw new Error(`COPY: ${path} is not there`);
      const isFolder = statSync(origin).isDirectory();
      // a folder's contents are copied; a file keeps its name below a destination that ends with a slash
      const named = !isFolder && destination.endsWith("/") ? join(destination, basename(path)) : destination;
      const target = join(root, resolve(workdir, named));
      mkdirSync(isFolder ? target : dirname(target), { recursive: true });
      cpSync(origin, target, {
        recursive: true,
        verbatimSymlinks: true,
        filter: (file) => {
          if (from !== undefined || statSync(file).isDirectory()) return true;
          return inContext(file.slice(repository.length));
        },
      });
      if (from === undefined && !isFolder && !existsSync(target)) throw new Error(`COPY: .dockerignore hides ${path}`);
      const [user, group] = (flags["chown"] ?? "").split(":").map(Number);
      if (user !== undefined && group !== undefined && process.getuid?.() === 0) chownSync(target, user, group);
      if (isFolder) chmodSync(target, 0o755);
    }
  }
}
