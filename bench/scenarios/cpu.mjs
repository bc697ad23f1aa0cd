// What a request costs the client.

export const scenario = {
  name: "cpu",
  title: "client CPU per request",
  async plan(context) {
    const contender = (id, title, open, method, events, ours) => ({
      id,
      title,
      ours,
      module: "contenders/client-cpu.mjs",
      open,
      options: async () => ({ s3: (await context.instantServer()).facts, method, events }),
    });
    const [ours, sdk] = [context.size(6000, 200), context.size(1000, 100)];
    const note = "with enough sockets and without checksums that the server does not ask for";
    return {
      about: "1 KB bodies, 64 requests in flight, a server in another process that answers at once.",
      contenders: [
        contender("get", "GET, ours", "ours", "get", ours, true),
        contender("put", "PUT, ours", "ours", "put", ours, true),
        { ...contender("sdkGet", "GET, AWS SDK", "awsSdk", "get", sdk), note },
        contender("sdkPut", "PUT, AWS SDK", "awsSdk", "put", sdk),
      ],
      rows: [
        { id: "get", title: "GET, ours", of: "get.cpuMicros", unit: "µs" },
        { id: "get-sdk", title: "GET, AWS SDK", of: "sdkGet.cpuMicros", unit: "µs" },
        { id: "put", title: "PUT, ours", of: "put.cpuMicros", unit: "µs" },
        { id: "put-sdk", title: "PUT, AWS SDK", of: "sdkPut.cpuMicros", unit: "µs" },
        {
          id: "get-ratio",
          title: "GET, ours ÷ AWS SDK",
          of: "get.cpuMicros",
          over: "sdkGet.cpuMicros",
          goal: { atMost: 0.15 },
        },
        {
          id: "put-ratio",
          title: "PUT, ours ÷ AWS SDK",
          of: "put.cpuMicros",
          over: "sdkPut.cpuMicros",
          goal: { atMost: 0.15 },
        },
      ],
    };
  },
  chart: [
    { title: "Client CPU per request, 1 KB", unit: "µs", less: true, rows: ["get", "get-sdk", "put", "put-sdk"] },
  ],
};
