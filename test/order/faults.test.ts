/**
 * Ties of faults: two that begin, or of which one ends as the other begins, at one instant.
 *
 * Seen to fail: with a fault's end in phase `start` as its beginning, so in the order of the list; with scheduleFaults()
 * going through the list backwards; with a machine that is frozen rather than off when it is both; with lines that the first
 * of two faults mends.
 */
import { describe, expect, it } from "vitest";
import { ms, Phase, seconds } from "../../src/engine/index.ts";
import {
  apiOutage,
  crashNode,
  drain,
  freezeNode,
  partition,
  partitionApi,
  resetPods,
  scale,
  type FaultInput,
  type ScenarioInput,
} from "../../src/index.ts";
import type { Deployment, Pod } from "../../src/kubernetes/api/types.ts";
import { HostState } from "../../src/network/host.ts";
import { compile, type Run } from "../../src/scenario/compile.ts";
import { manifestOf } from "../../src/testing/arbitraries/apps.ts";
import { resolved } from "../laws/written.ts";

interface Played {
  readonly run: Run;
  /** Lines of the event log about faults: "time what object". */
  readonly lines: string[];
  /** "time what" of each write of a kind. */
  readonly writes: string[];
}

/** Of two nodes and a Deployment of four pods; `look` at the times that it names, after all else. */
function play(
  faults: readonly FaultInput[],
  look: Readonly<Record<number, (run: Run) => void>> = {},
): Played {
  const app = {
    replicas: 4,
    service: { type: "ClusterIP" as const },
    targetPort: 80 as const,
    graceSeconds: 1,
    sidecar: false,
  };
  const apiServer = { writeLatency: "10ms", watchLatency: "8ms" } as const;
  const input = {
    duration: "8s",
    cluster: { nodes: 2 },
    faults: [...faults],
    profile: { kubernetes: { apiServer } },
  } satisfies ScenarioInput;
  const lines: string[] = [];
  const writes: string[] = [];
  const event = (atNs: number, kind: string, object: string, detail: string): void => {
    if (/^fault_|^pod_reset$|^eviction_/.test(kind)) {
      lines.push(`${atNs / 1e9} ${kind} ${detail} ${object}`);
    }
  };
  const run = compile(resolved({ input, objects: manifestOf(app, 0) }), [{ event }]);
  run.cluster.onCommit((kind, previous, object) => {
    const at = run.nowNs / 1e9;
    if (kind === "Deployment" && object !== null) {
      const [was, is] = [previous as Deployment | null, object as Deployment];
      if (was?.spec.replicas !== is.spec.replicas) writes.push(`${at} ${is.spec.replicas}`);
    } else if (kind === "Pod" && previous !== null && object !== null) {
      const [was, is] = [previous as Pod, object as Pod];
      if (was.metadata.deletionTimestampNs !== is.metadata.deletionTimestampNs) {
        writes.push(`${at} goes`);
      }
    }
  });
  for (const [at, then] of Object.entries(look)) {
    run.sim.callAt(ms(Number(at)), Phase.sample, () => then(run));
  }
  run.runUntil(seconds(8));
  expect(run.finish().brokenLaws).toEqual([]);
  return { run, lines, writes };
}

const both = <T>(a: T, b: T): T[][] => [
  [a, b],
  [b, a],
];

describe("a fault that ends as another begins", () => {
  const cut = partitionApi({ nodes: "node-1", components: ["kubelet"], at: "1s", for: "1s" });
  const outage = apiOutage({ at: "2s", for: "1s" });

  /**
   *   1 s       2 s                     3 s
   *   cut-------|over  (topology)
   *             |outage-(start)---------|over
   */
  it.each(both<FaultInput>(cut, outage))(
    "is over first, wherever it stands in the list",
    (...list) => {
      const { lines } = play(list);
      expect(lines).toEqual([
        "1 fault_began partitionApi node/node-1",
        "2 fault_ended partitionApi node/node-1",
        "2 fault_began apiOutage apiserver/kube-apiserver",
        "3 fault_ended apiOutage apiserver/kube-apiserver",
      ]);
    },
  );

  /**
   *   1 s       2 s                     3 s
   *   outage----|over: the scale that waited is stored
   *             |outage of its own: nothing goes through
   */
  it("lets through what waited for it, before the next of its kind", () => {
    const outages = [
      apiOutage({ what: "etcd", at: "2s", for: "1s" }),
      apiOutage({ what: "etcd", at: "1s", for: "1s" }),
    ];
    const change = scale({ workload: "deploy/app-0", replicas: 5, at: "1500ms" });
    for (const list of [outages, outages.toReversed()]) {
      expect(play([...list, change]).writes).toEqual(["2 5"]);
    }
  });

  /**
   *   1 s       2 s
   *   drain-----|uncordon is sent (topology)
   *             |drain: cordon is sent (start); both are stored in their order
   */
  it("gives its node back before the next drain takes it", () => {
    const first = drain({ nodes: "node-1", at: "1s", for: "1s" });
    const second = drain({ nodes: "node-1", at: "2s", for: "60s" });
    for (const list of both(first, second)) {
      const { run } = play(list);
      const nodes = [...run.cluster.api.list("Node")];
      expect(nodes.map(({ spec }) => spec.unschedulable)).toEqual([true, false]);
    }
  });

  /**
   *   1 s       2 s
   *   off-------|on: it boots
   *             |frozen
   */
  it("boots a machine before it stands still", () => {
    const off = crashNode({ nodes: "node-1", at: "1s", for: "1s" });
    const frozen = freezeNode({ nodes: "node-1", at: "2s", for: "5s" });
    for (const list of both<FaultInput>(off, frozen)) {
      const seen: number[] = [];
      const look = ({ transport }: Run): void => void seen.push(transport.network.hosts[0]!.state);
      play(list, { 1999: look, 2000: look, 6999: look, 7000: look });
      expect(seen).toEqual([HostState.off, HostState.frozen, HostState.frozen, HostState.on]);
    }
  });
});

describe("two faults that begin at one instant", () => {
  /**
   *   1 s: off and frozen      3 s: no longer off      5 s
   */
  it("on one machine: it is off while one says so, whichever came last", () => {
    const off = crashNode({ nodes: "node-1", at: "1s", for: "2s" });
    const frozen = freezeNode({ nodes: "node-1", at: "1s", for: "4s" });
    for (const list of both<FaultInput>(off, frozen)) {
      const seen: number[] = [];
      const look = ({ transport }: Run): void => void seen.push(transport.network.hosts[0]!.state);
      play(list, { 1000: look, 2999: look, 3000: look, 5000: look });
      expect(seen).toEqual([HostState.off, HostState.off, HostState.frozen, HostState.on]);
    }
  });

  /**
   *   1 s                     2 s
   *   scale is sent, outage   |stored: the server goes on where it stood still
   *   outage, scale is sent   |nobody has heard of it: it comes with the next retransmission
   */
  it("go off in the order of the list: what is asked before an outage has reached the server", () => {
    const outage = apiOutage({ at: "1s", for: "1s" });
    const change = scale({ workload: "deploy/app-0", replicas: 5, at: "1s" });
    expect(play([change, outage]).writes).toEqual(["2 5"]);
    // TCP sends it again after 0.2, 0.4 and 0.8 s; then a way to the server and the write.
    expect(play([outage, change]).writes).toEqual(["2.4102 5"]);
  });

  /**
   *   1 s                10 ms        on kubectl's list
   *   delete is sent-----|goes        its pods are still there: they are evicted too, which changes nothing
   *   cordon is sent-----|cordoned----|evictions
   */
  it("see the same pods: a deletion and a drain give each its end once", () => {
    const deletion = resetPods({ selector: "app=app-0", fraction: 1, how: "delete", at: "1s" });
    const drained = drain({ nodes: "node-1", at: "1s", for: "60s" });
    for (const list of both<FaultInput>(deletion, drained)) {
      const { lines, writes } = play(list);
      expect(lines.filter((line) => line.endsWith("node/node-1"))).toEqual([
        "1 fault_began drain node/node-1",
      ]);
      expect(lines.filter((line) => line.startsWith("1 pod_reset delete"))).toHaveLength(4);
      expect(writes.filter((line) => line.endsWith("goes"))).toHaveLength(4);
    }
  });

  /**
   *   1 s
   *   crash: the process has gone (at once)      kubelet's next relist
   *   scale is sent--------|stored---|two pods are given up by what the controller has seen
   */
  it("a crash is true at once and a scale is stored later, in either order of the list", () => {
    const crash = resetPods({ selector: "app=app-0", count: 2, how: "crash", at: "1s" });
    const fewer = scale({ workload: "deploy/app-0", replicas: 2, at: "1s" });
    const ends = both<FaultInput>(crash, fewer).map((list) => {
      const gone: string[] = [];
      const { run, lines, writes } = play(list, {
        1000: ({ cluster }) => {
          for (const pod of cluster.api.list("Pod")) {
            if (cluster.mainProcess(pod) === null) gone.push(pod.metadata.name);
          }
        },
      });
      expect(lines.filter((line) => line.startsWith("1 pod_reset crash"))).toHaveLength(2);
      expect(gone).toHaveLength(2);
      const left = [...run.cluster.api.list("Pod")].map(({ metadata }) => metadata.name);
      return { gone: gone.length, left: left.length, writes };
    });
    expect(ends[0]).toEqual(ends[1]);
    expect(ends[0]!.left).toBe(2);
  });

  /**
   *   1 s         2 s
   *   scale to 6--|back to 4 is sent (topology)
   *               |scale to 5 is sent (start); kubectl's list says 6, and that is what it goes back to
   */
  it("a scale that follows another goes back to what kubectl's list said", () => {
    const first = scale({ workload: "deploy/app-0", replicas: 6, at: "1s", for: "1s" });
    const second = scale({ workload: "deploy/app-0", replicas: 5, at: "2s", for: "1s" });
    for (const list of both(first, second)) {
      const sizes = play(list).writes.filter((line) => !line.endsWith("goes"));
      expect(sizes.map((line) => line.split(" ")[1])).toEqual(["6", "4", "5", "6"]);
    }
  });

  /**
   *   1 s                  2 s
   *   one cut, to 2 s------|
   *   another, to 3 s------|---------|
   */
  it("on one line: it is cut until the last has ended", () => {
    const short = partition({ from: "node-1", at: "1s", for: "1s" });
    const long = partition({ from: "node-1", at: "1s", for: "2s" });
    for (const list of both(short, long)) {
      const seen: boolean[] = [];
      const look = ({ stack, transport }: Run): void =>
        void seen.push(stack.faultsOf(transport.network.hosts[0]!).isCut(1));
      play(list, { 999: look, 1000: look, 2000: look, 3000: look });
      expect(seen).toEqual([false, true, true, false]);
    }
  });
});
