// What a server of a bucket was asked for and what it sent, by kind of request and by what of a log lies there; and how another
// process learns what some work of its own asked for.

import { subscribe } from "node:diagnostics_channel";
import { createServer } from "node:http";

/**
 * Counts from now on what a server of this process answers.
 * @param {string} endpoint of that server
 * @returns {Promise<{ url: string, close: () => void }>} `url` tells the counts so far
 */
export async function countTraffic(endpoint) {
  const port = Number(new URL(endpoint).port);
  const counts = {};
  subscribe("http.server.request.start", ({ request, response }) => {
    if (request.socket.localPort !== port) return;
    const name = nameOf(request.method, new URL(request.url, endpoint));
    counts[name] ??= { requests: 0, bytes: 0 };
    counts[name].requests++;
    const { end } = response;
    response.end = (body, ...rest) => {
      counts[name].bytes += body?.length ?? 0;
      return end.call(response, body, ...rest);
    };
  });
  const teller = createServer((_, response) => response.end(JSON.stringify(counts)));
  await new Promise((resolve) => teller.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${teller.address().port}`, close: () => teller.close() };
}

/** `GET segments`, `LIST index`, `PUT events` … */
function nameOf(method, { pathname, searchParams }) {
  const [, , ...key] = decodeURIComponent(pathname).split("/");
  const listed = searchParams.get("prefix");
  const place = (listed ?? key.join("/")).split("/")[1] ?? "";
  const kind = method === "GET" && key.join("") === "" ? "LIST" : method;
  return `${kind} ${/^_/.test(place) ? place.replace(/^_|\.json$/g, "") : "events"}`;
}

/**
 * What the server was asked for while `work` ran. Nobody else may ask it for anything meanwhile.
 * @param {string} url as `countTraffic` gives it
 * @returns {Promise<Traffic>}
 */
export async function trafficOf(url, work) {
  const before = await told(url);
  await work();
  const after = await told(url);
  return new Traffic(
    Object.entries(after).map(([name, { requests, bytes }]) => ({
      name,
      requests: requests - (before[name]?.requests ?? 0),
      bytes: bytes - (before[name]?.bytes ?? 0),
    })),
  );
}

const told = async (url) => (await fetch(url)).json();

class Traffic {
  #counts;

  constructor(counts) {
    this.#counts = counts;
  }

  /** Requests whose names match; default: all. */
  requests(pattern = /^/) {
    return this.#sum(pattern, ({ requests }) => requests);
  }

  /** Bytes of bodies that were sent. */
  bytes(pattern = /^/) {
    return this.#sum(pattern, ({ bytes }) => bytes);
  }

  #sum(pattern, value) {
    return this.#counts.filter(({ name }) => pattern.test(name)).reduce((sum, count) => sum + value(count), 0);
  }
}
