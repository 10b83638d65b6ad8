/**
 * StatefulSets: who is made and who goes, in which order, and what each waits for. Cases after
 * stateful_set_control_test.go; facts: timings §3.
 */
import { describe, expect, test } from "vitest";
import { ms, seconds } from "../../src/engine/index.ts";
import type { Pod, StatefulSet } from "../../src/kubernetes/api/types.ts";
import { StatefulSetController } from "../../src/kubernetes/controllers/statefulset.ts";
import { scale, setImage } from "../../src/kubernetes/kubectl/index.ts";
import {
  fakeKubelets,
  runControllers,
  setReady,
  type FakeKubelets,
} from "../helpers/controllers.ts";
import { statefulSet } from "../helpers/kube-objects.ts";

const KEY = "default/db";

/** A new StatefulSet, and what was made, told to go and removed, at which 100 ms. */
function running(
  set: StatefulSet,
  { readyNs = () => ms(1000), goneNs = ms(2000) }: Partial<FakeKubelets> = {},
) {
  const log: string[] = [];
  const run = runControllers({
    controllers: [new StatefulSetController()],
    seen: (kind, previous, object) => {
      if (kind !== "Pod") return;
      const [before, now] = [previous as Pod | null, object as Pod | null];
      const { name } = (now ?? before)!.metadata;
      if (before === null) log.push(`+${name} ${now!.spec.containers[0]!.image}`);
      else if (now === null) log.push(`-${name}`);
      else if (now.metadata.deletionTimestampNs !== before.metadata.deletionTimestampNs) {
        log.push(`~${name}`);
      }
    },
  });
  run.api.preload("StatefulSet", set);
  run.start();
  fakeKubelets(run, { readyNs, goneNs });
  return { ...run, log, set: () => run.get("StatefulSet", KEY) };
}

describe("OrderedReady", () => {
  test("goes up one by one, each when the one below is ready", () => {
    // Broken on purpose: without the wait all three are made in the first second.
    const run = running(statefulSet(3));
    run.sim.run(seconds(0.9));
    expect(run.log).toEqual(["+db-0 nginx"]);
    run.sim.run(seconds(5));
    expect(run.log).toEqual(["+db-0 nginx", "+db-1 nginx", "+db-2 nginx"]);
    expect(run.set().status).toMatchObject({ replicas: 3, readyReplicas: 3, currentReplicas: 3 });
  });

  test("and has been so for minReadySeconds", () => {
    const run = running(statefulSet(2, { minReadyNs: seconds(10) }));
    run.sim.run(seconds(10.5));
    expect(run.log).toEqual(["+db-0 nginx"]);
    run.sim.run(seconds(12));
    expect(run.log).toEqual(["+db-0 nginx", "+db-1 nginx"]);
  });

  test("goes down from the highest, each when the one above has gone entirely", () => {
    // Broken on purpose: without waiting for a condemned pod that is on its way out both are told at once.
    const run = running(statefulSet(3));
    run.sim.run(seconds(5));
    run.log.length = 0;
    run.at(seconds(6), () => scale(run.hand, "StatefulSet", KEY, 1));
    run.sim.run(seconds(7));
    expect(run.log).toEqual(["~db-2"]);
    run.sim.run(seconds(20));
    expect(run.log).toEqual(["~db-2", "-db-2", "~db-1", "-db-1"]);
  });

  test("waits with going down while one that stays is not ready", () => {
    const run = running(statefulSet(3));
    run.sim.run(seconds(5));
    run.log.length = 0;
    setReady(run, run.get("Pod", "default/db-0"), false);
    run.at(seconds(6), () => scale(run.hand, "StatefulSet", KEY, 2));
    run.sim.run(seconds(20));
    expect(run.log).toEqual([]);
    setReady(run, run.get("Pod", "default/db-0"), true);
    run.sim.run(seconds(40));
    expect(run.log).toEqual(["~db-2", "-db-2"]);
  });

  test("a deleted pod comes back under its name when it has gone, not before", () => {
    const run = running(statefulSet(2));
    run.sim.run(seconds(5));
    const before = run.get("Pod", "default/db-0").metadata.uid;
    run.log.length = 0;
    run.at(seconds(6), () => run.hand.delete("Pod", "default/db-0", {}));
    run.sim.run(seconds(20));
    expect(run.log).toEqual(["~db-0", "-db-0", "+db-0 nginx"]);
    expect(run.get("Pod", "default/db-0").metadata.uid).not.toBe(before);
  });
});

describe("Parallel", () => {
  test("makes and deletes without waiting", () => {
    const run = running(statefulSet(3, { podManagementPolicy: "Parallel" }), {
      readyNs: () => null,
    });
    run.sim.run(seconds(1));
    expect(run.log).toEqual(["+db-0 nginx", "+db-1 nginx", "+db-2 nginx"]);
    scale(run.hand, "StatefulSet", KEY, 1);
    run.sim.run(seconds(2));
    expect(run.log.slice(3)).toEqual(["~db-2", "~db-1"]);
  });
});

describe("an update", () => {
  const update = (change: Partial<StatefulSet["spec"]> = {}) => {
    const run = running(statefulSet(3, change));
    run.sim.run(seconds(5));
    run.log.length = 0;
    run.at(seconds(6), () => setImage(run.hand, "StatefulSet", KEY, null, "new"));
    return run;
  };

  test.each(["OrderedReady", "Parallel"] as const)(
    "replaces one at a time from the highest ordinal, each when the one above is ready (%s)",
    (podManagementPolicy) => {
      // Broken on purpose: without the look at those above all three are told at once (Parallel).
      const run = update({ podManagementPolicy });
      run.sim.run(seconds(60));
      expect(run.log).toEqual([2, 1, 0].flatMap((i) => [`~db-${i}`, `-db-${i}`, `+db-${i} new`]));
      const { status } = run.set();
      expect(status.currentRevision).toBe(status.updateRevision);
      expect(status).toMatchObject({ currentReplicas: 3, updatedReplicas: 3 });
    },
  );

  test("leaves those below the partition, which also come back as they were", () => {
    // Broken on purpose: made from the new template whatever the ordinal.
    const run = update({ partition: 2 });
    run.at(seconds(30), () => run.hand.delete("Pod", "default/db-0", {}));
    run.sim.run(seconds(60));
    expect(run.log).toEqual(["~db-2", "-db-2", "+db-2 new", "~db-0", "-db-0", "+db-0 nginx"]);
    const { status } = run.set();
    expect(status.currentRevision).not.toBe(status.updateRevision);
    expect(status).toMatchObject({ currentReplicas: 2, updatedReplicas: 1 });
  });

  test("OnDelete waits for somebody to delete them", () => {
    const run = update({ updateStrategy: "OnDelete" });
    run.at(seconds(30), () => run.hand.delete("Pod", "default/db-1", {}));
    run.sim.run(seconds(60));
    expect(run.log).toEqual(["~db-1", "-db-1", "+db-1 new"]);
  });

  test("that never becomes ready stops after one", () => {
    const isNew = (pod: Pod): boolean => pod.spec.containers[0]!.image === "new";
    const run = running(statefulSet(3), { readyNs: (pod) => (isNew(pod) ? null : ms(1000)) });
    run.sim.run(seconds(5));
    run.log.length = 0;
    setImage(run.hand, "StatefulSet", KEY, null, "new");
    run.sim.run(seconds(60));
    expect(run.log).toEqual(["~db-2", "-db-2", "+db-2 new"]);
  });
});
