/**
 * Ties in the lives of pods: two things that happen to one endpoint at one instant, or before a node has acted on the
 * first.
 *
 * Seen to fail: with a server that ends on SIGTERM whatever it has taken in, the last request was reset; with a kubelet that
 * leaves a pod ready that was ready, it failed ready; without beginStop() for containers that do not run yet, a pod deleted
 * while it starts ran; with a change's arrival taken for its sync's start, two changes had one arrival; without minSyncPeriod,
 * an endpoint that came back was gone for the node; with a report that takes all pods of a slice for one, neither two changes
 * nor an address used again had a report each.
 */
import { describe, expect, it } from "vitest";
import { ms, Phase, seconds } from "../../src/engine/index.ts";
import { ChangeLedger } from "../../src/kubernetes/ledger.ts";
import { createObservations, outcomeNames } from "../../src/observe/observations.ts";
import type { EndpointSlice } from "../../src/kubernetes/api/types.ts";
import { startProgram } from "../../src/workload/models.ts";
import { serverProfile } from "../../src/workload/profile.ts";
import { Programs, type Program, type ProgramContext } from "../../src/workload/program.ts";
import {
  container,
  endpoint,
  pendingPod,
  pod,
  probe,
  slice,
  WATCH_NS,
  WRITE_NS,
} from "../helpers/kube-objects.ts";
import { kubeletRig, SANDBOX_NS, VOLUMES_NS } from "../helpers/kubelet.ts";
import { runningProxies, SYNC_NS } from "../helpers/running-proxies.ts";
import { guest, wire } from "../helpers/wire.ts";

describe("SIGTERM and the last request", () => {
  /** One request at 1 ms; @returns its outcome, and when the request's SYN and its end came to pass. */
  function play(
    sigtermAtNs: number | null,
    phase: Phase = Phase.start,
  ): { outcome: string; endedAtNs: number } {
    const net = wire();
    let ended = { outcome: "none", endedAtNs: 0 };
    const observations = createObservations([
      {
        requestEnded: (_client, _service, outcome, _startedAtNs, endedAtNs) => {
          ended = { outcome: outcomeNames[outcome]!, endedAtNs };
        },
      },
    ]);
    const programs = new Programs(net.sim, net.transport, observations);
    const contextOf = (host: number, name: string): ProgramContext => ({
      programs,
      namespace: net.network.namespaces[guest(net, host, name).namespace]!,
      name,
      exited: () => {},
    });
    const server = contextOf(1, "server");
    const options = {
      ...serverProfile,
      workload: 0,
      concurrency: 1,
      queueLimit: 0,
      serviceTime: { kind: "deterministic", value: ms(5) },
    } as const;
    const none = { udpPorts: [], sctpPorts: [], started: true };
    const program = startProgram(server, { kind: "server", options }, { ports: [80], ...none });
    const once = {
      maxAttempts: 1,
      initialBackoffNs: 0,
      backoffFactor: 1,
      maxBackoffNs: 0,
      jitter: 0,
    };
    const client = {
      client: 0,
      service: 0,
      addresses: [...server.namespace.addresses],
      port: 80,
      protocol: 6,
      workloads: new Set([0]),
      load: { kind: "closedLoop", users: 1, thinkTime: { kind: "deterministic", value: ms(1) } },
      poolSize: 0,
      requestBytes: 200,
      timeoutNs: seconds(10),
      retries: once,
      startNs: 0,
      stopNs: ms(1) + 1,
    } as const;
    startProgram(
      contextOf(0, "client"),
      { kind: "client", options: client },
      { ports: [], ...none },
    );
    if (sigtermAtNs !== null) {
      net.sim.callAt(sigtermAtNs, phase, () => (program as Program).signal("SIGTERM"));
    }
    net.sim.run(seconds(20));
    return ended;
  }

  /**
   *   SYN arrives        |request arrives   (deliver): it is the server's
   *   |------------------|SIGTERM           (start): idle connections close, what has come is served
   */
  it("at the instant at which it arrives serves it; one nanosecond earlier its connection is reset", () => {
    // The request arrives at some instant after 1 ms: found by halves.
    let refusedAtNs = ms(1);
    let servedAtNs = play(null).endedAtNs;
    expect(play(refusedAtNs).outcome).toBe("refused");
    expect(play(servedAtNs).outcome).toBe("served");
    while (servedAtNs - refusedAtNs > 1) {
      const middle = Math.floor((refusedAtNs + servedAtNs) / 2);
      if (play(middle).outcome === "served") servedAtNs = middle;
      else refusedAtNs = middle;
    }
    expect(play(servedAtNs - 1).outcome).toBe("reset");
    // It is the very instant: before what is delivered then, SIGTERM comes first.
    expect(play(servedAtNs, Phase.complete).outcome).toBe("reset");
    // One handshake and one way after 1 ms, by the end of its service.
    expect(play(null).endedAtNs - servedAtNs).toBeGreaterThan(ms(5));
    expect(servedAtNs).toBeGreaterThan(ms(1));
    expect(servedAtNs).toBeLessThan(ms(1.2));
  });
});

describe("readiness failing as the probe succeeds", () => {
  /**
   *   probe sent--1 ms--|success   (deliver)
   *          the process|exits     (start, the exit itself is told one phase on)
   */
  it("an exit at the instant of a success leaves the pod unready", () => {
    const readinessProbe = probe({ periodNs: seconds(2) });
    const containers = [container({ readinessProbe })];
    const own = pod("a", { spec: { containers, restartPolicy: "Never" } });
    const rig = kubeletRig({}, [own]);
    // Probes of this seed, from one to the next.
    const trial = kubeletRig({}, [own]);
    trial.sim.run(seconds(5));
    const sentAtNs = trial.times("probe").at(-1)!;
    rig.sim.callAt(sentAtNs + ms(1), Phase.complete, () => rig.processes[0]!.exit(1));
    rig.sim.run(sentAtNs + seconds(1.5));
    expect(rig.times("commit Running not-ready")).toHaveLength(1);
    expect(rig.times("commit Running ready").filter((atNs) => atNs > sentAtNs)).toEqual([]);
    // At the kubelet's next look.
    const [failedAtNs, ...more] = rig.times("commit Failed not-ready");
    expect(more).toEqual([]);
    expect(failedAtNs).toBeGreaterThan(sentAtNs + ms(1));
  });
});

describe("a pod deleted while being created", () => {
  /**
   *   volumes----|sandbox------|container starts
   *        delete|
   *              ^ at each of these instants, and between
   */
  it.each([VOLUMES_NS, VOLUMES_NS + ms(1), VOLUMES_NS + SANDBOX_NS])(
    "%i ns after its kubelet heard of it never runs, and its object goes",
    (afterNs) => {
      const rig = kubeletRig();
      rig.hand.create("Pod", { ...pendingPod("a"), spec: pod("a").spec });
      // Both reach the kubelet a write and a watch after the call.
      rig.sim.callAt(afterNs, Phase.start, () => rig.hand.delete("Pod", "default/a", {}));
      rig.sim.run(seconds(60));
      expect(rig.times("start")).toEqual([]);
      expect(rig.times("commit removed")).toHaveLength(1);
    },
  );
});

describe("changes inside one minSyncPeriod", () => {
  const reports: string[] = [];
  /** A ledger that knows the pods at these addresses as endpoints at rest. */
  function rig(addresses: readonly string[]) {
    reports.length = 0;
    const ledger = new ChangeLedger(
      createObservations([
        {
          endpointProgrammed: (id, _node, atNs, deliveredAtNs, _trackedAtNs, startedAtNs) =>
            reports.push(`${id} ${deliveredAtNs} ${startedAtNs} ${atNs}`),
        },
      ]),
    );
    const proxies = runningProxies({
      slices: [
        slice(
          "s",
          addresses.map((each) => endpoint(each)),
        ),
      ],
      ledger,
    });
    for (const address of addresses) ledger.atRest(podAt(address));
    const put = (atNs: number, endpoints: EndpointSlice["endpoints"]): void => {
      proxies.sim.callAt(atNs, Phase.start, () =>
        proxies.hand.patch("EndpointSlice", "default/s", (stored) => ({ ...stored, endpoints })),
      );
    };
    return { ...proxies, ledger, put };
  }
  const podAt = (address: string) =>
    pod("x", {
      metadata: { uid: `uid-of-${address}` },
      status: { podIPs: [address] },
    });
  const LATE_NS = WRITE_NS + WATCH_NS;
  const [a, b, c] = ["10.0.0.1", "10.0.0.2", "10.0.0.3"] as const;
  const gone = (address: string, causeNs: number) =>
    endpoint(address, {
      observedCauseNs: causeNs,
      conditions: { ready: false, terminating: true },
    });

  /**
   *   0        100 ms     300 ms                      minSync after the first sync
   *   a goes   sync ends  b goes, at 400 ms c goes....|one sync with both
   */
  it("two of them come into force with one sync, each with its own arrival", () => {
    const { put, sim, ledger, endpoints } = rig([a, b, c]);
    ledger.deleted(podAt(a), 0);
    put(0, [gone(a, 0), endpoint(b), endpoint(c)]);
    ledger.deleted(podAt(b), ms(300));
    put(ms(300), [gone(a, 0), gone(b, ms(300)), endpoint(c)]);
    ledger.deleted(podAt(c), ms(400));
    put(ms(400), [gone(a, 0), gone(b, ms(300)), gone(c, ms(400))]);
    sim.run(seconds(5));
    const firstEndNs = LATE_NS + SYNC_NS;
    const secondNs = firstEndNs + seconds(1);
    expect(reports).toEqual([
      `0 ${LATE_NS} ${LATE_NS} ${firstEndNs}`,
      `1 ${ms(300) + LATE_NS} ${secondNs} ${secondNs + SYNC_NS}`,
      `2 ${ms(400) + LATE_NS} ${secondNs} ${secondNs + SYNC_NS}`,
    ]);
    // Without a ready one, those that terminate and still serve.
    expect(endpoints()).toEqual([`${a}:80`, `${b}:80`, `${c}:80`]);
  });

  /**
   *   a goes|sync  b unready  b ready again        minSync
   *                |----------|....................|nothing to report of b
   */
  it("an endpoint that returns before its removal was programmed was never gone for the node", () => {
    const { put, sim, ledger, endpoints } = rig([a, b]);
    ledger.deleted(podAt(a), 0);
    put(0, [gone(a, 0), endpoint(b)]);
    ledger.readiness(podAt(b), false, ms(300));
    const unready = { observedCauseNs: ms(300), conditions: { ready: false, serving: false } };
    put(ms(300), [gone(a, 0), endpoint(b, unready)]);
    ledger.readiness(podAt(b), true, ms(500));
    put(ms(500), [gone(a, 0), endpoint(b, { observedCauseNs: ms(500) })]);
    const seen: (readonly string[] | null)[] = [];
    for (let at = 200; at < 3000; at += 50) {
      sim.callAt(ms(at), Phase.sample, () => seen.push(endpoints()));
    }
    sim.run(seconds(5));
    // The removal of a alone; b could be chosen all the time.
    expect(reports).toEqual([`0 ${LATE_NS} ${LATE_NS} ${LATE_NS + SYNC_NS}`]);
    expect(new Set(seen.map((each) => each?.join()))).toEqual(new Set([`${b}:80`]));
  });

  /**
   *   a goes (sync)   b goes; another pod, ready, has b's address   minSync
   *                   |---------------------------------------------|both in one sync
   */
  it("an address used again inside the window stays in the rules, for another pod", () => {
    const { put, sim, ledger, endpoints, rulesAt } = rig([a, b]);
    ledger.deleted(podAt(a), 0);
    put(0, [gone(a, 0), endpoint(b)]);
    ledger.deleted(podAt(b), ms(300));
    put(ms(300), [gone(a, 0), gone(b, ms(300))]);
    const heir = pod("heir", { metadata: { uid: "heir" }, status: { podIPs: [b] } });
    ledger.readiness(heir, true, ms(500));
    put(ms(500), [
      gone(a, 0),
      gone(b, ms(300)),
      endpoint(b, { podUid: "heir", observedCauseNs: ms(500) }),
    ]);
    const owners = new Set<string>();
    for (let at = 200; at < 3000; at += 50) {
      sim.callAt(ms(at), Phase.sample, () => {
        expect(endpoints()).toEqual([`${b}:80`]);
        owners.add(rulesAt()!.cluster![0]!.podUid);
      });
    }
    sim.run(seconds(5));
    expect([...owners]).toEqual([`uid-of-${b}`, "heir"]);
    // b's removal and its heir's arrival in one sync.
    const secondNs = LATE_NS + SYNC_NS + seconds(1);
    expect(reports.slice(1).sort()).toEqual([
      `1 ${ms(300) + LATE_NS} ${secondNs} ${secondNs + SYNC_NS}`,
      `2 ${ms(500) + LATE_NS} ${secondNs} ${secondNs + SYNC_NS}`,
    ]);
  });
});
