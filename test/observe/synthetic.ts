/**
 * A small run made by hand: two nodes, one Service, three endpoints, one client, two windows of 1 s.
 *
 * Owns: the stream of observations that the recorders' and the summary's tests share. Its figures are
 * worked out in the tests' comments.
 *
 *   0.0 s  a (node-1) and b (node-2) back the Service
 *   0.0 s  4 requests to a, 2 to b, 10 ms each, one after another; all served
 *   0.5 s  b goes: condition at 0.5 s, removed at 0.6 s. node-1 programs them at 0.7 s and 0.8 s;
 *          node-2 programs only the removal, at 1.6 s
 *   0.9 s  node-2 routes a connection to b: stale; the request is refused at once
 *   1.0 s  node-1 has synced three times (60, 40 and 100 ms, the last one in full and in vain), node-2 once
 *   1.2 s  c is added, node-1 programs it at 1.25 s, node-2 never
 *   1.5 s  one request to c starts and is still there at the end, 2 s
 */
import { ms, seconds } from "../../src/engine/index.ts";
import {
  createObservations,
  Outcome,
  type ConntrackReport,
  type HopReport,
  type Observer,
  Recording,
} from "../../src/observe/index.ts";

export const service = "default/nginx";
export const endpoints = ["10.244.1.2:80", "10.244.2.2:80", "10.244.1.3:80"] as const;
export const endNs = seconds(2);

export const conntracks: readonly ConntrackReport[] = [
  {
    node: "node-1",
    entries: 5,
    limit: 131_072,
    inserted: 20,
    insertFailed: 1,
    drops: 3,
    earlyDrops: 4,
    invalid: 6,
    clashResolved: 7,
    deleted: 8,
  },
];

export const hops: readonly HopReport[] = [
  {
    hop: "node-1/eth0",
    kind: "nic",
    packets: 60,
    bytes: 90_000,
    drops: [],
    utilisation: 0.25,
    queueP99Ns: 1200,
  },
  {
    hop: "node-2/eth0",
    kind: "nic",
    packets: 40,
    bytes: 60_000,
    drops: [
      { cause: "queue_full", count: 3 },
      { cause: "no_route", count: 1 },
    ],
    utilisation: null,
    queueP99Ns: null,
  },
];

export function play(observers: readonly Observer[]): void {
  const hub = createObservations(observers);
  hub.nodeNamed(0, "node-1", "a");
  hub.nodeNamed(1, "node-2", "b");
  for (const node of [0, 1]) hub.proxierNamed(node, 4);
  hub.addressNamed(7, "10.244.1.9");
  hub.addressNamed(8, "172.18.0.2");
  hub.clientNamed(0, "web", 0);
  hub.serviceNamed(0, service);
  hub.endpointNamed(0, 0, endpoints[0], "default/nginx-a", "node-1");
  hub.endpointNamed(1, 0, endpoints[1], "default/nginx-b", "node-2");
  for (const [i, endpoint] of [0, 0, 0, 0, 1, 1].entries()) {
    const atNs = ms(20 * i);
    hub.requestStarted(0, 0, atNs);
    hub.connectionRouted(0, endpoint, atNs, 0);
    hub.endpointRequestStarted(endpoint, atNs);
    hub.endpointRequestEnded(endpoint, atNs + ms(10));
    // From node-1: to a as it is, to b on node-2 in node-1's name.
    hub.connectionAnswered(0, 0, 0, endpoint, 7, endpoint === 0 ? 7 : 8);
    hub.requestEnded(0, 0, Outcome.served, atNs, atNs + ms(10), 1, 0);
  }
  hub.event(ms(500), "pod_deleted", "pod/nginx-b", "resetPods");
  hub.endpointChanged(0, service, endpoints[1], "condition", ms(500), 0, 1, 0);
  hub.endpointChanged(1, service, endpoints[1], "removed", ms(600), 0, 1, 0);
  // Of b's readiness the kubelet knew after 10 ms, and its status was stored after 30 ms.
  hub.endpointWritten(0, ms(510), ms(530), ms(560));
  hub.endpointWritten(1, -1, -1, ms(640));
  hub.endpointProgrammed(0, "node-1", ms(700), ms(570), ms(575), ms(680));
  hub.endpointProgrammed(1, "node-1", ms(800), ms(650), ms(650), ms(780));
  hub.requestStarted(0, 0, ms(900));
  hub.connectionRouted(1, 1, ms(900), 1);
  hub.staleConnectionEnded(1, 1, Outcome.refused);
  hub.requestEnded(0, 0, Outcome.refused, ms(900), ms(901), 3, 1);
  hub.requestFailed(6, 0, 0, Outcome.refused, ms(900), ms(901), 3, 3, 1);
  hub.rulesWalked(0, 400, 4);
  hub.rulesWalked(0, 600, 4);
  hub.rulesSynced(0, ms(640), ms(700), 0, 0, 4);
  hub.rulesSynced(0, ms(760), ms(800), 0, 0, 4);
  hub.rulesSynced(0, ms(850), ms(950), 1, 1, 4);
  hub.rulesSynced(1, ms(900), ms(990), 0, 0, 4);
  hub.windowClosed(0, seconds(1));
  hub.endpointNamed(2, 0, endpoints[2], "default/nginx-c", "node-1");
  hub.endpointChanged(2, service, endpoints[2], "added", ms(1200), 1, 2, 0);
  hub.endpointWritten(2, ms(1200), ms(1210), ms(1220));
  hub.endpointProgrammed(2, "node-1", ms(1250), ms(1225), ms(1225), ms(1225));
  // c's Ready condition is of 1.2 s, its time stamp of the whole second.
  hub.networkProgrammed(0, seconds(1), ms(1250), 4);
  hub.requestStarted(0, 0, ms(1500));
  hub.connectionRouted(0, 2, ms(1500), 0);
  hub.endpointRequestStarted(2, ms(1500));
  hub.endpointProgrammed(1, "node-2", ms(1600), ms(660), ms(660), ms(1560));
  hub.windowClosed(seconds(1), seconds(2));
}

/** The recording of that run. */
export function recorded(): Recording {
  const recording = new Recording();
  play(recording.observers);
  return recording;
}
