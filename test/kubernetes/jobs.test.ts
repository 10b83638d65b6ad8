/** Jobs: how many run, what counts, waits after failures, giving up. Facts: timings §3. */
import { describe, expect, test } from "vitest";
import { ms, seconds } from "../../src/engine/index.ts";
import type { Job, Pod } from "../../src/kubernetes/api/types.ts";
import { JobController, wantedActive } from "../../src/kubernetes/controllers/job.ts";
import { fakeKubelets, runControllers } from "../helpers/controllers.ts";
import { job } from "../helpers/kube-objects.ts";

/** A Job whose nth pod ends so after `takesNs`; when each was made, and the most at a time. */
function running(
  spec: Partial<Job["spec"]>,
  endsAs: (index: number) => "Succeeded" | "Failed",
  takesNs = seconds(5),
) {
  const made: number[] = [];
  let most = 0;
  const run = runControllers({
    controllers: [new JobController()],
    seen: (kind, previous, object) => {
      if (kind !== "Pod") return;
      const live = run.list("Pod").filter((pod) => !isOver(pod));
      most = Math.max(most, live.length);
      if (previous !== null) return;
      const index = made.push(run.sim.nowNs) - 1;
      const { name } = (object as Pod).metadata;
      run.at(run.sim.nowNs + takesNs, () =>
        run.hand.patch("Pod", `default/${name}`, (stored) => ({
          ...stored,
          status: { ...stored.status, phase: endsAs(index) },
        })),
      );
    },
  });
  run.api.preload("Job", job(spec));
  run.start();
  fakeKubelets(run, { readyNs: () => ms(500), goneNs: seconds(1) });
  return { ...run, made, most: () => most, job: () => run.get("Job", "default/batch") };
}

function isOver({ status, metadata }: Pod): boolean {
  return (
    status.phase === "Succeeded" ||
    status.phase === "Failed" ||
    metadata.deletionTimestampNs !== null
  );
}

const gapsOf = (times: readonly number[]): number[] =>
  times.slice(1).map((atNs, i) => Math.round((atNs - times[i]!) / seconds(1)));

describe("how many run (manageJob)", () => {
  test.each([
    [2, 5, 0, 2],
    [2, 5, 4, 1],
    [2, 5, 5, 0],
    [5, 2, 0, 2],
    [3, null, 0, 3],
  ] as const)(
    "parallelism %i, completions %s, %i succeeded: %i",
    (parallelism, completions, done, want) => {
      expect(wantedActive(job({ parallelism, completions }), done, 0)).toBe(want);
    },
  );

  test("without completions those that run may end, and no more are made after the first success", () => {
    expect(wantedActive(job({ parallelism: 3, completions: null }), 1, 2)).toBe(2);
  });

  test("five completions, two at a time", () => {
    // Broken on purpose: parallelism without a look at what is still needed makes a sixth.
    const run = running({ parallelism: 2, completions: 5 }, () => "Succeeded");
    run.sim.run(seconds(60));
    expect([run.made.length, run.most()]).toEqual([5, 2]);
    expect(run.job().status).toMatchObject({
      succeeded: 5,
      failed: 0,
      active: 0,
      finished: "Complete",
    });
  });
});

describe("failures", () => {
  test("the wait is 10 s after the first, doubling; a success starts it anew", () => {
    // Failed, failed, succeeded, failed, succeeded. A pod takes 5 s; changes are gathered for 1 s, unless a
    // wait is over later. Broken on purpose: without the wait a new pod comes 6 s after the one before.
    const ends = ["Failed", "Failed", "Succeeded", "Failed", "Succeeded"] as const;
    const run = running({ completions: 2 }, (index) => ends[index] ?? "Succeeded");
    run.sim.run(seconds(200));
    expect(gapsOf(run.made)).toEqual([5 + 10, 5 + 20, 5 + 1, 5 + 10]);
    expect(run.job().status).toMatchObject({ succeeded: 2, failed: 3, finished: "Complete" });
  });

  test("it gives up when more than backoffLimit have failed, and takes the others down", () => {
    // Broken on purpose: a limit that is never reached.
    const run = running({ parallelism: 2, completions: 4, backoffLimit: 1 }, () => "Failed");
    run.sim.run(seconds(300));
    expect(run.made).toHaveLength(2);
    expect(run.job().status).toMatchObject({ failed: 2, active: 0, finished: "Failed" });
  });

  test("a pod that was deleted before its end has failed, once", () => {
    const run = running({ completions: 1 }, () => "Succeeded", seconds(30));
    run.at(seconds(3), () =>
      run.hand.delete("Pod", `default/${run.list("Pod")[0]!.metadata.name}`, {}),
    );
    run.sim.run(seconds(100));
    expect(run.job().status).toMatchObject({ succeeded: 1, failed: 1, finished: "Complete" });
    expect(run.made).toHaveLength(2);
  });
});
