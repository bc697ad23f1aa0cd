import { main } from "./app/command.js";

process.exitCode = await main(process.argv.slice(2), process.env);
