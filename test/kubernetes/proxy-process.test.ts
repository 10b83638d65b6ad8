/**
 * kube-proxy as a process: it ends and its rules stay, a new one lists everything anew, and one that stands still
 * goes on where it was.
 *
 * Broken on purpose: a sync that waited begun, and one under way ended, in a process that is no more; trigger times of
 * the last process counted; Services that came meanwhile left out, and slices that went; a new process that is no
 * starting one; rules that a node without power still holds; a frozen process that syncs.
 */
import { describe, expect, test } from "vitest";
import { ms, Phase, seconds } from "../../src/engine/index.ts";
import { LAST_CHANGE_TRIGGER_TIME, type EndpointSlice } from "../../src/kubernetes/api/types.ts";
import { endpoint, service, slice, WATCH_NS, WRITE_NS } from "../helpers/kube-objects.ts";
import { runningProxies, SYNC_NS } from "../helpers/running-proxies.ts";

const HEARD_NS = WRITE_NS + WATCH_NS;
const three = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map((address) => endpoint(address));
const without =
  (gone: string) =>
  (stored: EndpointSlice): EndpointSlice => ({
    ...stored,
    metadata: { ...stored.metadata, annotations: { [LAST_CHANGE_TRIGGER_TIME]: "1" } },
    endpoints: stored.endpoints.filter(({ address }) => address !== gone),
  });

function rig(more: Parameters<typeof runningProxies>[0] = {}) {
  const run = runningProxies({ slices: [slice("s", three)], ...more });
  const proxy = run.proxies[0]!;
  const change = (atNs: number, gone: string): void =>
    void run.sim.callAt(atNs, Phase.start, () =>
      run.hand.patch("EndpointSlice", "default/s", without(gone)),
    );
  return { ...run, proxy, proxier: proxy.of(4)!, change };
}

describe("stopped", () => {
  test("it keeps its rules; a sync under way writes nothing, and one that waits never begins", () => {
    const { sim, proxy, proxier, change, costs, endpoints } = rig();
    change(0, "10.0.0.1");
    sim.run(HEARD_NS + SYNC_NS / 2);
    proxy.stop();
    sim.run(seconds(20));
    expect([costs.length, endpoints()!.length, proxier.syncs]).toEqual([1, 3, 1]);
    // The other way: the change came in the pause after a sync.
    const other = rig();
    other.change(0, "10.0.0.1");
    other.change(ms(300), "10.0.0.2");
    other.sim.run(ms(500));
    other.proxy.stop();
    other.sim.run(seconds(20));
    expect([other.costs.length, other.endpoints()]).toEqual([1, ["10.0.0.2:80", "10.0.0.3:80"]]);
    expect(other.proxy.isIdle).toBe(false);
  });

  test("as often as it was stopped it has to be started", () => {
    const { sim, proxy, costs } = rig();
    proxy.stop();
    proxy.stop();
    proxy.start();
    sim.run(seconds(5));
    expect(costs).toEqual([]);
    proxy.start();
    sim.run(seconds(10));
    expect(costs.map(({ full }) => full)).toEqual([true]);
  });
});

describe("a new process", () => {
  test("writes what there is now: Services and slices that have come, changed and gone meanwhile", () => {
    const gone = service({ clusterIP: "10.96.0.12" }, "gone");
    const { sim, proxy, hand, endpoints, costs } = rig({
      services: [service(), gone],
      slices: [slice("s", three), slice("t", [endpoint("10.0.0.9")]), slice("u", three, gone)],
    });
    proxy.stop();
    const fresh = service({ clusterIP: "10.96.0.11" }, "fresh");
    hand.create("Service", fresh);
    hand.create("EndpointSlice", slice("f", [endpoint("10.0.0.7")], fresh));
    hand.patch("EndpointSlice", "default/s", without("10.0.0.1"));
    hand.delete("EndpointSlice", "default/t", {});
    hand.delete("Service", "default/gone", {});
    sim.run(seconds(5));
    expect(endpoints()).toHaveLength(4);
    proxy.start();
    sim.run(seconds(5) + SYNC_NS);
    expect(endpoints()).toEqual(["10.0.0.2:80", "10.0.0.3:80"]);
    expect(endpoints(undefined, "10.96.0.11")).toEqual(["10.0.0.7:80"]);
    expect(endpoints(undefined, "10.96.0.12")).toBeNull();
    expect(costs.map(({ full }) => full)).toEqual([true]);
  });

  test("answers for no trigger that the last one had noted", () => {
    const { sim, proxy, proxier, change } = rig();
    change(0, "10.0.0.1");
    change(ms(80), "10.0.0.2");
    sim.run(ms(110));
    // One is in the sync under way, one in the tracker, and one is written but has not come yet.
    change(ms(110), "10.0.0.3");
    sim.run(ms(115));
    proxy.stop();
    proxy.start();
    sim.run(seconds(10));
    expect([proxier.programming.count, proxier.syncs]).toEqual([0, 3]);
  });

  test("is healthy as it starts, however long its first sync takes to succeed", () => {
    const { sim, proxy, change } = rig();
    proxy.breakSyncsUntil(seconds(500));
    change(0, "10.0.0.1");
    sim.run(seconds(100));
    expect(proxy.isHealthy).toBe(false);
    proxy.stop();
    proxy.start();
    sim.run(seconds(300));
    expect(proxy.isHealthy).toBe(true);
    // So is one that has never programmed anything.
    const cold = rig({ cold: true });
    cold.proxy.breakSyncsUntil(seconds(500));
    cold.sim.run(seconds(300));
    expect([cold.proxier.failures > 5, cold.proxy.isHealthy]).toEqual([true, true]);
  });

  test("finds a kernel without rules after the node had no power", () => {
    const { sim, proxy, endpoints } = rig();
    proxy.stop();
    proxy.forgetRules();
    expect(endpoints()).toBeNull();
    expect(proxy.of(4)!.size()).toEqual({ services: 0, endpoints: 0 });
    proxy.start();
    sim.run(seconds(1));
    expect(endpoints()).toHaveLength(3);
  });
});

test("frozen, it neither begins a sync nor ends one; what was due is done when it goes on", () => {
  const { sim, proxy, change, costs, endpoints } = rig();
  change(0, "10.0.0.1");
  sim.run(HEARD_NS + SYNC_NS / 2);
  proxy.freeze();
  sim.run(seconds(5));
  expect([endpoints()!.length, proxy.isIdle]).toEqual([3, false]);
  proxy.resume();
  expect(endpoints()).toEqual(["10.0.0.2:80", "10.0.0.3:80"]);
  sim.run(seconds(10));
  proxy.freeze();
  change(seconds(10), "10.0.0.2");
  sim.run(seconds(20));
  expect(costs).toHaveLength(1);
  proxy.resume();
  sim.run(seconds(21));
  expect(costs.map(({ atNs }) => atNs)).toEqual([HEARD_NS, seconds(20)]);
  expect(endpoints()).toEqual(["10.0.0.3:80"]);
  // A process that ends while it stands still leaves nothing that was due.
  proxy.freeze();
  change(seconds(21), "10.0.0.3");
  sim.run(seconds(25));
  proxy.stop();
  proxy.resume();
  sim.run(seconds(30));
  expect(costs).toHaveLength(2);
});
