import { version } from "./version.js";

const [only, more] = process.argv.slice(2);
// Asked often by scripts, and answered with nothing loaded.
if (more === undefined && (only === "--version" || only === "-V")) console.log(version());
else await import("./run.js");
