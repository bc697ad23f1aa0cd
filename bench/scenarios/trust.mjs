// What signed trees cost, and what they save.

export const scenario = {
  name: "trust",
  title: "Merkle tree, checkpoints and proofs",
  rounds: 3,
  async plan(context) {
    const events = context.size(1_000_000, 10_000);
    const contender = (id, title, open) => ({
      id,
      title,
      ours: true,
      fresh: true,
      module: "contenders/trust.mjs",
      open,
      options: async () => ({ path: await context.log(events), events }),
    });
    return {
      about:
        `A log file of ${events.toLocaleString("en")} events, one thread. Chain: \`verify\`. Tree: \`verifyTrust\`, which is the chain, the tree and the signature.\n` +
        "A checkpointer's share of a core is its CPU time for 10,000 events: reading and verifying them again, and the tree by itself (what is left without the walk).",
      contenders: [
        contender("whole", "verification of everything", "whole"),
        contender("new", "verification of 1,000 new events", "incremental"),
        contender("proofs", "inclusion proofs", "proofs"),
        contender("sign", "checkpointing", "checkpointing"),
      ],
      rows: [
        { id: "chain", title: "chain alone", of: "whole.chainPerSecond", unit: "events/s" },
        { id: "tree", title: "tree and chain", of: "whole.treePerSecond", unit: "events/s" },
        { id: "ratio", title: "tree and chain ÷ chain alone", of: "whole.ratio", unit: "×", goal: { atLeast: 0.85 } },
        { id: "new-chain", title: "1,000 new events: chain alone", of: "new.chainMs", unit: "ms" },
        { id: "new-tree", title: "1,000 new events: with key and memory", of: "new.treeMs", unit: "ms" },
        { id: "tiles", title: "tile reads a proof", of: "proofs.tiles", unit: "", goal: { atMost: 4 } },
        { id: "bytes", title: "largest proof", of: "proofs.bytes", unit: "bytes", goal: { atMost: 5120 } },
        { id: "verify", title: "verification of a proof", of: "proofs.verifyMs", unit: "ms", goal: { atMost: 2 } },
        {
          id: "share",
          title: "a core at 10,000 events/s: checkpointer",
          of: "sign.share",
          unit: "×",
          goal: { atMost: 0.05 },
        },
        {
          id: "tree-share",
          title: "a core at 10,000 events/s: the tree by itself",
          of: "sign.treeShare",
          unit: "×",
        },
        { id: "requests", title: "objects written per 256 events", of: "sign.requests", unit: "", goal: { atMost: 3 } },
      ],
    };
  },
  chart: [],
};
