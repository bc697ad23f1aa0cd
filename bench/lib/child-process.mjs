// The other side of child.mjs.

let object;

async function answer(method, args) {
  if (method === "open") {
    const [module, name, options] = args;
    const { [name]: make } = await import(new URL(`../${module}`, import.meta.url).href);
    object = await make(options);
    return object.facts;
  }
  if (method === "close") return object?.close?.();
  return object[method](...args);
}

process.on("message", ({ id, method, args }) => {
  answer(method, args).then(
    (result) => process.send?.({ id, result }),
    (error) => process.send?.({ id, error: { message: said(error), notInstalled: error?.name === "NotInstalled" } }),
  );
});
// Whoever started it stops it: a Ctrl-C in the terminal reaches this process too.
process.on("SIGINT", () => undefined);
process.on("disconnect", () => process.exit());

function said(error) {
  if (error?.name === "NotInstalled") return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
