import { describe, expect, it } from "vitest";
import { Elector, type ElectorOptions } from "../../src/election/elector.js";
import { LeaseLock } from "../../src/election/lease-lock.js";
import type { Leadership } from "../../src/election/port.js";
import { FakeTime, settle } from "../fake-time.js";
import { Leases } from "../leases.js";

const PLACE = { namespace: "rynxs", name: "rynxs-operator" };
const TIMES = { leaseDurationMs: 30_000, renewDeadlineMs: 20_000, retryPeriodMs: 5_000 };

/** Replicas around one Lease. */
function cluster() {
  const time = new FakeTime();
  const leases = new Leases();
  const replica = (holder: string, options: Partial<ElectorOptions> = {}, endsAtOnce = true) => {
    const api = leases.client();
    const runtime = time.runtime();
    const stop = new AbortController();
    const failures: unknown[] = [];
    const holders: string[] = [];
    const state = { leadership: null as Leadership | null, led: 0, lost: 0, end: (): void => {} };
    const elector = new Elector(new LeaseLock(api, PLACE, 5_000), {
      holder,
      ...TIMES,
      runtime,
      on: {
        failed: (error) => failures.push(error),
        holder: (name) => holders.push(name),
        lost: () => state.lost++,
      },
      ...options,
    });
    const ended = elector.run(stop.signal, async (leadership) => {
      state.leadership = leadership;
      state.led++;
      await new Promise<void>((resolve) => {
        state.end = resolve;
        leadership.signal.addEventListener("abort", () => resolve());
        if (endsAtOnce) stop.signal.addEventListener("abort", () => resolve());
      });
      state.leadership = null;
    });
    const leads = (): boolean => state.leadership?.valid() ?? false;
    return { api, runtime, stop, ended, failures, holders, state, leads };
  };
  return { time, leases, replica };
}

describe("leader election", () => {
  it("elects one, which renews the Lease; the others leave it alone", async () => {
    const { time, leases, replica } = cluster();
    const [a, b] = [replica("a"), replica("b")];
    await time.pass(300_000);
    expect([a.leads(), b.leads()]).toEqual([true, false]);
    expect(a.state.led).toBe(1);
    expect(leases.lease?.spec).toMatchObject({ holderIdentity: "a", leaseDurationSeconds: 30, leaseTransitions: 0 });
    // 300 s at a renewal each 5 s.
    const puts = leases.requests.filter(({ method }) => method === "PUT").length;
    expect(puts).toBeGreaterThanOrEqual(55);
    expect(puts).toBeLessThanOrEqual(61);
    expect([...a.failures, ...b.failures]).toEqual([]);
  });

  it("another takes over within lease duration and retry period when the leader is gone, and counts the transition", async () => {
    const { time, leases, replica } = cluster();
    const a = replica("a");
    await settle();
    const b = replica("b");
    await time.pass(12_000);
    a.runtime.paused = true;
    const gone = time.elapsed;
    while (!b.leads()) await time.pass(100);
    // A look comes just when the Lease runs out: whatever the jitter, no retry period is lost.
    expect(time.elapsed - gone).toBeLessThanOrEqual(30_000 + 200);
    // Not sooner than the last renewal that it can have seen lets it.
    expect(time.elapsed - gone).toBeGreaterThan(30_000 - 5_000 - 200);
    expect(leases.lease?.spec).toMatchObject({ holderIdentity: "b", leaseTransitions: 1 });
    expect(b.holders).toContain("b");
  });

  it("a paused leader knows that it leads no more before anything tells it", async () => {
    const { time, replica } = cluster();
    const a = replica("a");
    await settle();
    const b = replica("b");
    await time.pass(7_000);
    const { leadership } = a.state;
    a.runtime.paused = true;
    await time.pass(60_000);
    expect(b.leads()).toBe(true);
    // Nothing of a has run, so it holds a leadership that has not been aborted …
    expect(leadership?.signal.aborted).toBe(false);
    // … and that says by itself that it is over.
    expect(leadership?.valid()).toBe(false);
    a.runtime.paused = false;
    await time.pass(100);
    expect(leadership?.signal.aborted).toBe(true);
    expect(a.state.lost).toBe(1);
    await time.pass(60_000);
    expect([a.leads(), b.leads()]).toEqual([false, true]);
  });

  it.each(["fails", "hangs"] as const)("never do two lead when the leader's network %s", async (how) => {
    const { time, replica } = cluster();
    const a = replica("a");
    await settle();
    const b = replica("b");
    await time.pass(11_000);
    a.api.cut = how;
    let ended = 0;
    for (let ms = 0; ms < 60_000; ms += 100) {
      await time.pass(100);
      expect(a.leads() && b.leads()).toBe(false);
      if (ended === 0 && !a.leads()) ended = ms;
      if (ended > 0) expect(a.state.leadership).toBeNull();
    }
    // It gives up at its deadline, well before others may take over.
    expect(ended).toBeGreaterThan(14_000);
    expect(ended).toBeLessThanOrEqual(20_000);
    expect(b.leads()).toBe(true);
    a.api.cut = "no";
    await time.pass(60_000);
    expect([a.leads(), b.leads()]).toEqual([false, true]);
  });

  it("compares no clocks: wall clocks that are hours apart, and jump, change nothing", async () => {
    const { time, leases, replica } = cluster();
    const a = replica("a");
    a.runtime.wallMs += 7_200_000;
    await settle();
    const b = replica("b");
    b.runtime.wallMs -= 7_200_000;
    for (let round = 0; round < 20; round++) {
      await time.pass(5_000);
      a.runtime.wallMs += round % 2 ? 3_600_000 : -3_600_000;
      b.runtime.wallMs += round % 2 ? -86_400_000 : 86_400_000;
      expect([a.leads(), b.leads()]).toEqual([true, false]);
    }
    expect(leases.lease?.spec["leaseTransitions"]).toBe(0);
  });

  it("leaves a Lease alone that it has only just seen, however old its times are", async () => {
    const { time, leases, replica } = cluster();
    leases.lease = {
      metadata: { name: PLACE.name, resourceVersion: "7" },
      spec: {
        holderIdentity: "z",
        leaseDurationSeconds: 30,
        leaseTransitions: 4,
        acquireTime: "2001-01-01T00:00:00.000000Z",
        renewTime: "2001-01-01T00:00:00.000000Z",
      },
    };
    const a = replica("a");
    await time.pass(29_000);
    expect(a.leads()).toBe(false);
    await time.pass(8_000);
    expect(a.leads()).toBe(true);
    expect(leases.lease.spec["leaseTransitions"]).toBe(5);
  });

  it("waits for as long as the holder's own Lease says", async () => {
    const { time, replica } = cluster();
    const a = replica("a", { leaseDurationMs: 120_000, renewDeadlineMs: 100_000 });
    await settle();
    const b = replica("b");
    await time.pass(10_000);
    a.runtime.paused = true;
    await time.pass(100_000);
    expect(b.leads()).toBe(false);
    await time.pass(30_000);
    expect(b.leads()).toBe(true);
  });

  it("gives the Lease back on a clean end, once its work has ended, and the next one has it within 2 s", async () => {
    const { time, leases, replica } = cluster();
    const a = replica("a");
    await settle();
    const b = replica("b");
    await time.pass(10_000);
    a.stop.abort();
    await a.ended;
    await time.pass(2_000);
    expect(leases.lease?.spec["holderIdentity"]).toBe("b");
    expect(b.leads()).toBe(true);
  });

  it("keeps the Lease while its work still ends", async () => {
    const { time, leases, replica } = cluster();
    const a = replica("a", {}, false);
    await settle();
    const b = replica("b");
    await time.pass(1_000);
    a.stop.abort();
    await time.pass(60_000);
    expect([a.leads(), b.leads()]).toEqual([true, false]);
    a.state.end();
    await a.ended;
    expect(leases.lease?.spec["holderIdentity"]).toBe("");
  });

  it("when the work ends by itself, the Lease is given back, and tried for again after a pause", async () => {
    const { time, leases, replica } = cluster();
    const a = replica("a");
    await time.pass(1_000);
    a.state.end();
    await settle();
    expect(leases.lease?.spec["holderIdentity"]).toBe("");
    await time.pass(7_000);
    expect(a.state.led).toBe(2);
  });

  it("a deleted Lease is made anew, and its transitions start anew: an epoch cannot come from here", async () => {
    const { time, leases, replica } = cluster();
    const a = replica("a");
    await time.pass(6_000);
    leases.remove();
    await time.pass(6_000);
    expect(a.leads()).toBe(true);
    expect(leases.lease?.spec).toMatchObject({ holderIdentity: "a", leaseTransitions: 0 });
  });
});
