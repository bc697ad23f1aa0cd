// A server that answers at once: what is left to measure is the client.

import { createServer } from "node:http";

const BODY = Buffer.alloc(1024, "x");
const ETAG = '"0123456789abcdef0123456789abcdef"';

export async function openInstantServer() {
  const server = createServer((request, response) => {
    request.resume();
    request.on("end", () => {
      const body = request.method === "GET" ? BODY : "";
      response.writeHead(200, { etag: ETAG, "content-type": "application/json", "content-length": body.length });
      response.end(body);
    });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const facts = {
    server: "a server that answers at once",
    endpoint: `http://127.0.0.1:${server.address().port}`,
    bucket: "bench",
    region: "us-east-1",
    accessKeyId: "test",
    secretAccessKey: "testsecret",
  };
  return {
    facts,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
