// How soon a subscriber has what another process appends.

const LATENCY_MS = 15;
const POLL_MS = 100;

export const scenario = {
  name: "live",
  title: "from an append to its delivery in another process",
  rounds: 3,
  async plan(context) {
    const events = context.size(50, 3);
    return {
      about:
        `${events} appends at chance times, on the emulator with ${LATENCY_MS} ms per request; a subscriber in another process, pollMs ${POLL_MS}.\n` +
        "Measured from the append's answer to the event's delivery. A round trip is the median of GETs by the subscriber's process.",
      contenders: [
        {
          id: "live",
          title: "a subscriber",
          ours: true,
          module: "contenders/live.mjs",
          open: "subscriber",
          options: async () => ({ s3: (await context.emulator(LATENCY_MS)).facts, events, pollMs: POLL_MS }),
        },
      ],
      rows: [
        { id: "p50", title: "latency, median", of: "live.p50Ms", unit: "ms" },
        { id: "max", title: "latency, longest", of: "live.maxMs", unit: "ms" },
        { id: "round-trip", title: "a round trip", of: "live.roundTripMs", unit: "ms" },
        { id: "p50-ratio", title: "median ÷ (poll interval + round trip)", of: "live.p50Ratio", unit: "×" },
        {
          id: "max-ratio",
          title: "longest ÷ (poll interval + round trip)",
          of: "live.maxRatio",
          unit: "×",
          goal: { atMost: 1 },
        },
      ],
    };
  },
  chart: [],
};
