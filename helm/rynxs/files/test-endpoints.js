// `helm test`: the Service reaches an operator that is ready, and it serves its metrics.
const service = process.env.RYNXS_SERVICE;
const checks = [["/ready", () => true]];
if (process.env.METRICS_ENABLED === "true")
  checks.push(["/metrics", (body) => body.includes("rynxs_leader_election_status")]);

async function check(path, holds) {
  const answer = await fetch(service + path, { signal: AbortSignal.timeout(5000) });
  const body = await answer.text();
  if (answer.status !== 200) throw new Error("HTTP " + answer.status + ": " + body.slice(0, 500));
  if (!holds(body)) throw new Error("no metric rynxs_leader_election_status in " + body.length + " characters");
}

(async () => {
  for (const [path, holds] of checks) {
    try {
      await check(path, holds);
      console.log("ok " + path);
    } catch (error) {
      console.error("FAILED " + service + path + ": " + error.message);
      process.exitCode = 1;
    }
  }
})();
