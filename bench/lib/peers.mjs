import { createRequire } from "node:module";
import { NotInstalled } from "./not-installed.mjs";

/** A package out of bench/peers/TREE, which has its own dependencies. @throws NotInstalled */
export function loadPeer(tree, name) {
  const require = createRequire(new URL(`../peers/${tree}/package.json`, import.meta.url));
  try {
    return require(name);
  } catch (error) {
    if (error.code !== "MODULE_NOT_FOUND") throw error;
    throw new NotInstalled(`not installed: ${name}; npm run bench:peers`);
  }
}
