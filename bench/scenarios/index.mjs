import { scenario as cpu } from "./cpu.mjs";
import { scenario as fileAppend } from "./file-append.mjs";
import { scenario as fileReplay } from "./file-replay.mjs";
import { scenario as live } from "./live.mjs";
import { scenario as longCompact } from "./long-compact.mjs";
import { scenario as longRead } from "./long-read.mjs";
import { scenario as longScale } from "./long-scale.mjs";
import { scenario as memory } from "./memory.mjs";
import { scenario as operator } from "./operator.mjs";
import { scenario as s3Append } from "./s3-append.mjs";
import { scenario as s3Batch } from "./s3-batch.mjs";
import { scenario as s3Replay } from "./s3-replay.mjs";
import { scenario as scale } from "./scale.mjs";
import { scenario as scaleVerify } from "./scale-verify.mjs";
import { scenario as trust } from "./trust.mjs";
import { scenario as startup } from "./startup.mjs";

/** In the order in which they run and are drawn. */
export const SCENARIOS = [
  s3Append,
  s3Batch,
  s3Replay,
  fileAppend,
  fileReplay,
  memory,
  cpu,
  scale,
  scaleVerify,
  startup,
  longRead,
  longScale,
  longCompact,
  live,
  operator,
  trust,
];
