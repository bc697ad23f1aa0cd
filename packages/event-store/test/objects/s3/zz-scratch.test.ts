import { it } from "vitest";
import { createServer } from "node:http";
import { Worker } from "node:worker_threads";
import { openS3Objects } from "../../../src/objects/s3/index.js";
const cred = { accessKeyId: "test", secretAccessKey: "testsecret" };
it("bench", async () => {
  const w = new Worker(`const {createServer}=require("http");const {parentPort}=require("worker_threads");
  const b=Buffer.alloc(1024,"x");
  const s=createServer((q,r)=>{q.resume();q.on("end",()=>{r.writeHead(200,{etag:'"abc"',"content-type":"application/json","x-amz-meta-put-id":"1"});r.end(q.method==="PUT"?undefined:b)})});
  s.listen(0,()=>parentPort.postMessage(s.address().port))`, { eval: true });
  const port = await new Promise((r) => w.once("message", r));
  const s = openS3Objects({ bucket: "bucket", endpoint: `http://127.0.0.1:${port}`, ...cred });
  const body = Buffer.alloc(1024, "y");
  for (const [name, op] of [["get", (i: number) => s.get(`events/${String(i).padStart(10, "0")}.json`)], ["put", (i: number) => s.putIfAbsent(`events/${String(i).padStart(10, "0")}.json`, body, { metadata: { "put-id": "abc" } })]] as const)
  for (let round = 0; round < 3; round++) {
    const N = 8000; let i = 0; const t = performance.now(); const th = (performance as any).eventLoopUtilization();
    await Promise.all(Array.from({ length: 64 }, async () => { while (i < N) await op(i++); }));
    const ms = performance.now() - t; const elu = (performance as any).eventLoopUtilization(th);
    console.log(name, (N / ms * 1000).toFixed(0), "/s", (elu.active / N * 1000).toFixed(0), "us busy/op");
  }
  await s.close(); await w.terminate();
});
