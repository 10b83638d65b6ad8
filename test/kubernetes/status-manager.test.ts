/**
 * When a status that could not be written is written again (status_manager.go; timings §1.2): with the next pod
 * that has news, or with the full pass of every 10 s. One tick waits for a writer that is busy.
 */
import { expect, test } from "vitest";
import { Phase, seconds, Simulation } from "../../src/engine/index.ts";
import type { ApiClient, WriteError } from "../../src/kubernetes/api/contract.ts";
import { NodeClock } from "../../src/kubernetes/kubelet/nodeClock.ts";
import { kubeletProfile } from "../../src/kubernetes/kubelet/profile.ts";
import { StatusManager } from "../../src/kubernetes/kubelet/statusManager.ts";
import { pod } from "../helpers/kube-objects.ts";

/** Writes end after `takesS` of their place in the list with an error of it; those after the list at once and well. */
function writer(ends: readonly (readonly [takesS: number, error: WriteError | null])[]) {
  const sim = new Simulation({ seed: "status" });
  const writes: string[] = [];
  const client = {
    patch(_kind, key, _change, done) {
      const [takesS, error] = ends[writes.length] ?? [0, null];
      writes.push(`${sim.nowNs / seconds(1)} ${key}`);
      sim.callAfter(seconds(takesS), Phase.deliver, () => done?.(null, error));
    },
  } as Pick<ApiClient, "patch"> as ApiClient;
  const clock = new NodeClock(sim);
  const parts = { sim, client, clock, profile: kubeletProfile, phaseNs: seconds(3) };
  const manager = new StatusManager(
    parts,
    (key) => ({ uid: key, status: pod(key).status }),
    () => {},
  );
  const change = (atS: number, key: string): void =>
    void sim.callAt(seconds(atS), Phase.start, () => manager.update(key));
  return { sim, writes, change };
}

test("with the next tick of the kubelet's own ticker", () => {
  // Broken on purpose: 10 s from the failure.
  const { sim, writes, change } = writer([
    [1, "Timeout"],
    [0, "Timeout"],
  ]);
  change(5, "a");
  sim.run(seconds(60));
  expect(writes).toEqual(["5 a", "13 a", "23 a"]);
});

test("with the next pod that has news, if that comes first", () => {
  // Broken on purpose: news of b leave a to the ticker.
  const { sim, writes, change } = writer([[1, "Timeout"]]);
  change(5, "a");
  change(8, "b");
  sim.run(seconds(60));
  expect(writes).toEqual(["5 a", "8 b", "8 a"]);
});

test("at once when a tick fell while the writer waited for an answer, and once only", () => {
  // Broken on purpose: a tick that nobody hears is lost, and a is written at 43 s.
  const { sim, writes, change } = writer([
    [30, "Timeout"],
    [0, "Timeout"],
  ]);
  change(5, "a");
  sim.run(seconds(60));
  expect(writes).toEqual(["5 a", "35 a", "43 a"]);
});
