/** The book of changes: what counts as one, and which change a node's report belongs to. */
import { describe, expect, test } from "vitest";
import type { EndpointSlice, Pod } from "../../src/kubernetes/api/types.ts";
import { ChangeLedger, resolveTargetPort } from "../../src/kubernetes/ledger.ts";
import { createObservations } from "../../src/observe/observations.ts";
import { container, endpoint, pod, service, slice } from "../helpers/kube-objects.ts";

function book() {
  const changes: string[] = [];
  const reports: string[] = [];
  const written: string[] = [];
  const ledger = new ChangeLedger(
    createObservations([
      {
        endpointChanged: (id, of, address, kind, atNs, usable) =>
          changes.push(`${id} ${of} ${address} ${kind} ${atNs} ${usable}`),
        endpointWritten: (id, seenAtNs, statusAtNs, atNs) =>
          written.push(`${id} ${seenAtNs} ${statusAtNs} ${atNs}`),
        endpointProgrammed: (id, node, atNs) => reports.push(`${id} ${node} ${atNs}`),
      },
    ]),
  );
  ledger.addService(service());
  return { ledger, changes, reports, written };
}

const a: Pod = pod("a");
const key = "default/web";
const named = (podUid: string) => ({ service: key, podUid, addressType: "IPv4" }) as const;
const arrival = { deliveredNs: 8, trackedNs: 8, syncStartedNs: 8 };

describe("a change", () => {
  test("a pod that is ready at rest is none; becoming ready is `added`, later flips are `condition`", () => {
    const { ledger, changes } = book();
    ledger.atRest(a);
    expect(changes).toEqual([]);
    ledger.readiness(a, false, 5);
    ledger.readiness(a, true, 6);
    ledger.readiness(pod("bb"), true, 7);
    expect(changes).toEqual([
      `0 ${key} 10.0.0.1:80 condition 5 0`,
      `1 ${key} 10.0.0.1:80 condition 6 1`,
      `2 ${key} 10.0.0.2:80 added 7 1`,
    ]);
  });

  test("the same again is none, nor is a pod that has not been ready yet", () => {
    const { ledger, changes } = book();
    ledger.atRest(a);
    ledger.readiness(a, true, 5);
    ledger.readiness(pod("bb"), false, 6);
    expect(changes).toEqual([]);
  });

  test("a pod told to go is `removed`, once; what its probe says after that is none", () => {
    const { ledger, changes } = book();
    ledger.atRest(a);
    const going = pod("a", { metadata: { deletionTimestampNs: 5, deletionGracePeriodNs: 1 } });
    ledger.deleted(going, 5);
    ledger.readiness(going, false, 6);
    ledger.deleted(going, 7);
    expect(changes).toEqual([`0 ${key} 10.0.0.1:80 removed 5 0`]);
  });

  test("a killed pod that its kubelet finds ready in its last grace is none", () => {
    // The kubelet's copy never learns of the deletion: its object was gone at once.
    const { ledger, changes } = book();
    ledger.deleted(a, 5);
    ledger.readiness(a, true, 6);
    expect(changes).toEqual([]);
    ledger.readiness(pod("bb"), true, 7);
    ledger.deleted(pod("bb"), 8);
    ledger.readiness(pod("bb"), true, 9);
    expect(changes.map((each) => each.split(" ").slice(3).join(" "))).toEqual([
      "added 7 1",
      "removed 8 0",
    ]);
  });

  test("a pod of other labels or another namespace is nobody's", () => {
    const { ledger, changes } = book();
    ledger.readiness(pod("a", { metadata: { labels: { app: "other" } } }), true, 1);
    ledger.readiness(pod("a", { metadata: { namespace: "other" } }), true, 1);
    expect(changes).toEqual([]);
  });

  test("two Services of one pod have a change each", () => {
    const { ledger, changes } = book();
    ledger.addService(service({}, "second"));
    ledger.readiness(a, true, 1);
    expect(changes.map((each) => each.split(" ")[1])).toEqual([key, "default/second"]);
  });
});

describe("a report", () => {
  test("is of the change that its slice names as cause, not of a later one alike", () => {
    // Broken on purpose: matched by usability alone it belongs to change 2.
    const { ledger, reports } = book();
    ledger.atRest(a);
    ledger.readiness(a, false, 5);
    ledger.readiness(a, true, 6);
    ledger.readiness(a, false, 7);
    ledger.programmed("node-0", named(a.metadata.uid), false, 5, arrival, 9);
    ledger.programmed("node-1", named(a.metadata.uid), false, 7, arrival, 10);
    expect(reports).toEqual(["0 node-0 9", "2 node-1 10"]);
  });

  test("of an endpoint that left its slice without a word is of the last such change", () => {
    const { ledger, reports } = book();
    ledger.atRest(a);
    ledger.deleted(a, 5);
    ledger.programmed("node-0", named(a.metadata.uid), false, null, arrival, 9);
    expect(reports).toEqual(["0 node-0 9"]);
  });

  test("names the kubelet's and the status' times, but not a kubelet's of an earlier change", () => {
    // Broken on purpose: whatever the status carries is taken, so that a node's loss was seen before it came.
    const { ledger, written, reports } = book();
    ledger.atRest(a);
    const status = (ready: boolean, observedCauseNs: number, observedSeenNs: number): Pod =>
      pod("a", {
        status: {
          ready: { status: ready, lastTransitionTimeNs: 0 },
          observedCauseNs,
          observedSeenNs,
        },
      });
    let last: EndpointSlice | null = null;
    const write = (ready: boolean, observedCauseNs: number, atNs: number): void => {
      const conditions = { ready };
      const told = endpoint("10.0.0.1", { podUid: a.metadata.uid, observedCauseNs, conditions });
      const next = slice("s", [told]);
      ledger.sliceWritten(last, next, atNs);
      last = next;
    };
    ledger.readiness(a, false, 5);
    ledger.statusWritten(status(false, 5, 6), 7);
    write(false, 5, 8);
    ledger.readiness(a, true, 10);
    ledger.statusWritten(status(true, 10, 10), 12);
    write(true, 10, 13);
    // The node is lost: a controller writes the status, which still carries what the kubelet saw last.
    ledger.readiness(a, false, 20);
    ledger.statusWritten(status(false, 20, 10), 20);
    write(false, 20, 22);
    // It is back: the pod is ready for the reason that it was ready before.
    ledger.readiness(a, true, 30);
    ledger.statusWritten(status(true, 10, 10), 30);
    write(true, 10, 32);
    // One has heard of it. The other stood still, as soak's seed 55988 has it: what it programs now came before.
    const at = (deliveredNs: number) => ({ deliveredNs, trackedNs: 40, syncStartedNs: 40 });
    ledger.programmed("node-0", named(a.metadata.uid), true, 10, at(35), 41);
    ledger.programmed("node-1", named(a.metadata.uid), true, 10, at(15), 41);
    expect(written).toEqual(["0 6 7 8", "1 10 12 13", "2 -1 20 22", "3 -1 -1 32"]);
    // Seen to fail when a report may be of a change that was not stored when the node was told.
    expect(reports).toEqual(["3 node-0 41", "1 node-1 41"]);
  });

  /** Soak, seed 20593. Seen to fail when a report may be of a change that no slice told of. */
  test("of an endpoint that left is of the change that a slice told of, not of a later flip that none saw", () => {
    const { ledger, reports } = book();
    ledger.atRest(a);
    const { uid: podUid } = a.metadata;
    const unready = { podUid, observedCauseNs: 5, conditions: { ready: false } };
    const ready = slice("s", [endpoint("10.0.0.1", { podUid })]);
    const told = slice("s", [endpoint("10.0.0.1", unready)]);
    ledger.readiness(a, false, 5);
    ledger.sliceWritten(ready, told, 6);
    ledger.readiness(a, true, 7);
    ledger.deleted(a, 8);
    ledger.sliceWritten(told, slice("s", []), 9);
    ledger.programmed("node-0", named(podUid), false, null, arrival, 10);
    expect(reports).toEqual(["0 node-0 10"]);
  });

  test("of an endpoint that nobody knows is none", () => {
    const { ledger, reports } = book();
    ledger.programmed("node-0", named("uid-of-nobody"), true, null, arrival, 9);
    expect(reports).toEqual([]);
  });
});

test("an endpoint is gone, in truth, from the change on and until it comes back", () => {
  const { ledger } = book();
  ledger.atRest(a);
  const index = ledger.endpointIndex(key, a.metadata.uid, "IPv4");
  expect(ledger.isGone(index)).toBe(false);
  ledger.readiness(a, false, 5);
  expect(ledger.isGone(index)).toBe(true);
  ledger.readiness(a, true, 6);
  expect(ledger.isGone(index)).toBe(false);
  expect(ledger.endpointIndex(key, "uid-of-nobody", "IPv4")).toBe(-1);
});

test("a named target port is looked up in the pod's containers", () => {
  const port = { name: "metrics", containerPort: 9090, hostPort: null, protocol: "TCP" } as const;
  const two = pod("a", {
    spec: { containers: [container(), container({ name: "second", ports: [port] })] },
  });
  expect(["http", "metrics", "none", 1234].map((each) => resolveTargetPort(each, two))).toEqual([
    80,
    9090,
    null,
    1234,
  ]);
});
