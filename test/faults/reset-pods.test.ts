/** Pod resets: how many, which, how and when. */
import { describe, expect, test } from "vitest";
import { Phase, seconds, Simulation } from "../../src/engine/index.ts";
import { scheduleFaults, type FaultSpec } from "../../src/faults/index.ts";
import { SimulatedApiServer } from "../../src/kubernetes/api/server.ts";
import type { Pod } from "../../src/kubernetes/api/types.ts";
import { createObservations } from "../../src/observe/observations.ts";
import { chiSquareQuantile } from "../../src/stats/index.ts";
import { faultContext } from "../helpers/fault-context.ts";
import { exactApi, pod, unthrottled, WRITE_NS } from "../helpers/kube-objects.ts";

type Reset = Extract<FaultSpec, { kind: "resetPods" }>;

const once: Reset = {
  kind: "resetPods",
  namespace: "default",
  selector: { app: "web" },
  amount: { kind: "count", count: 1 },
  how: "delete",
  atNs: seconds(10),
  everyNs: 0,
  times: 1,
};

const ten = Array.from({ length: 10 }, (_, i) => pod(`p${i}`));

/** What was hit, when and how, and what the API made of it. */
function struck(
  faults: readonly Partial<Reset>[],
  pods: readonly Pod[] = ten,
  seed = "faults",
  runs = true,
) {
  const sim = new Simulation({ seed });
  const hits: { pod: string; how: string; atNs: number }[] = [];
  const commits: { pod: string; removed: boolean; atNs: number }[] = [];
  const crashed: string[] = [];
  const killed: string[] = [];
  const api = new SimulatedApiServer(sim, exactApi, (_kind, previous, object) =>
    commits.push({
      pod: (object ?? previous)!.metadata.name,
      removed: object === null,
      atNs: sim.nowNs,
    }),
  );
  for (const each of pods) api.preload("Pod", each);
  const hand = api.client(unthrottled);
  scheduleFaults(
    faults.map((each) => ({ ...once, ...each })),
    {
      ...faultContext(sim),
      observations: createObservations([
        {
          event: (atNs, kind, object, how) => {
            if (kind === "pod_reset") hits.push({ pod: object.split("/").at(-1)!, how, atNs });
          },
        },
      ]),
      api: hand,
      pods: api.watch("Pod", { watcher: "kubectl", handlers: {} }),
      listed: (kind) => api.watch(kind, { watcher: "kubectl", handlers: {} }),
      crash: ({ metadata }) => runs && crashed.push(metadata.name) > 0,
      sigkill: ({ metadata }) => runs && killed.push(metadata.name) > 0,
      oomKill: ({ metadata }) => runs && killed.push(metadata.name) > 0,
    },
  );
  return { sim, hand, hits, commits, crashed, killed, run: () => sim.run(seconds(1000)) };
}

const names = (hits: readonly { pod: string }[]): string[] => hits.map((each) => each.pod);

describe("how many", () => {
  test.each<[string, Reset["amount"], number]>([
    ["a count", { kind: "count", count: 3 }, 3],
    ["no more than there are", { kind: "count", count: 50 }, 10],
    ["none", { kind: "count", count: 0 }, 0],
    ["a fraction", { kind: "fraction", fraction: 0.3 }, 3],
    ["a fraction, rounded up", { kind: "fraction", fraction: 0.26 }, 3],
    ["a fraction, rounded down", { kind: "fraction", fraction: 0.24 }, 2],
    ["all", { kind: "fraction", fraction: 1 }, 10],
  ])("%s", (_what, amount, expected) => {
    const { hits, run } = struck([{ amount }]);
    run();
    // Drawn without replacement: broken on purpose by not taking the drawn one out.
    expect(new Set(names(hits)).size).toBe(expected);
    expect(hits).toHaveLength(expected);
  });
});

describe("which", () => {
  test("only running pods of that namespace with those labels that are not on their way out", () => {
    const pods = [
      pod("target"),
      pod("other-labels", { metadata: { labels: { app: "db" } } }),
      pod("other-namespace", { metadata: { namespace: "kube-system" } }),
      pod("terminating", { metadata: { deletionTimestampNs: 0, deletionGracePeriodNs: 1 } }),
      pod("pending", { status: { phase: "Pending" } }),
      pod("done", { status: { phase: "Succeeded" } }),
    ];
    const { hits, run } = struck([{ amount: { kind: "fraction", fraction: 1 } }], pods);
    run();
    expect(names(hits)).toEqual(["target"]);
  });

  test("each pod equally often: chi-square at the 99.9 % level", () => {
    const counts = new Map<string, number>();
    const { hits, run } = struck([
      // Crashes only: the same ten pods are there each time.
      { how: "crash", amount: { kind: "count", count: 3 }, everyNs: seconds(1), times: 500 },
    ]);
    run();
    for (const { pod: name } of hits) counts.set(name, (counts.get(name) ?? 0) + 1);
    const chiSquare = ten.reduce((sum, { metadata }) => {
      const count = counts.get(metadata.name) ?? 0;
      return sum + (count - 150) ** 2 / 150;
    }, 0);
    expect(hits).toHaveLength(1500);
    // Three of ten without replacement vary less than independent draws: the bound is on the safe side.
    expect(chiSquare).toBeLessThan(chiSquareQuantile(0.999, 9));
  });

  test("by a stream of its own: another fault before or after it moves no draw", () => {
    // Broken on purpose: one stream for all faults. Crashes leave the same ten pods to draw from.
    const second: Partial<Reset> = {
      amount: { kind: "count", count: 4 },
      atNs: seconds(20),
      how: "crash",
    };
    const at20 = (first: Partial<Reset>): string[] => {
      const { hits, run } = struck([{ how: "crash", ...first }, second]);
      run();
      return names(hits.filter(({ atNs }) => atNs === seconds(20)));
    };
    const quiet = at20({});
    expect(quiet).toHaveLength(4);
    const three = { kind: "count", count: 3 } as const;
    expect(at20({ amount: three, everyNs: seconds(1), times: 5 })).toEqual(quiet);
    expect(at20({ atNs: seconds(100) })).toEqual(quiet);
  });

  test("the order of the API's list has no say, only the names", () => {
    const picked = [ten, ten.toReversed()].map((pods) => {
      const { hits, run } = struck([{ amount: { kind: "count", count: 4 } }], pods);
      run();
      return names(hits);
    });
    expect(picked[0]).toEqual(picked[1]);
  });

  test("another seed draws others", () => {
    const picked = ["a", "b", "c", "d"].map((seed) => {
      const { hits, run } = struck([{ amount: { kind: "count", count: 4 } }], ten, seed);
      run();
      return names(hits).join(" ");
    });
    expect(new Set(picked).size).toBeGreaterThan(1);
  });
});

describe("how", () => {
  test("delete: the pod's own grace, the object stays", () => {
    const { commits, run } = struck([{}]);
    run();
    expect(commits.map(({ removed, atNs }) => [removed, atNs])).toEqual([
      [false, seconds(10) + WRITE_NS],
    ]);
  });

  test("kill: the object goes at once", () => {
    const { commits, run } = struck([{ how: "kill" }]);
    run();
    expect(commits.map(({ removed, atNs }) => [removed, atNs])).toEqual([
      [true, seconds(10) + WRITE_NS],
    ]);
  });

  test("crash: the process ends at once and the API hears nothing of it", () => {
    const { commits, crashed, hits, run } = struck([{ how: "crash" }]);
    run();
    expect(crashed).toEqual(names(hits));
    expect(commits).toEqual([]);
  });

  test.each(["sigkill", "oom"] as const)("%s: the process is killed, if any runs", (how) => {
    const { commits, crashed, killed, hits, run } = struck([{ how }]);
    run();
    expect(killed).toEqual(names(hits));
    expect([commits, crashed]).toEqual([[], []]);
    const idle = struck([{ how }], ten, "faults", false);
    idle.run();
    expect(idle.hits).toEqual([]);
  });

  test("crash: where no process runs there is none, and no reset in the log", () => {
    const { hits, run } = struck([{ how: "crash" }], ten, "faults", false);
    run();
    expect(hits).toEqual([]);
  });

  test("a pod that another has replaced under its name in the meantime is not hit", () => {
    const { sim, hand, commits, run } = struck([{}], [pod("a")]);
    sim.callAt(seconds(10) - 1, Phase.start, () => {
      hand.delete("Pod", "default/a", { gracePeriodNs: 0 });
      hand.create("Pod", pod("a", { metadata: { uid: "uid-of-successor" } }));
    });
    run();
    // Removed and created a moment before the reset's own write, which asks for the old uid.
    expect(commits.map(({ removed }) => removed)).toEqual([true, false]);
  });
});

test("a storm strikes `times` times, `everyNs` apart, and draws anew each time", () => {
  const { hits, run } = struck([{ how: "crash", everyNs: seconds(5), times: 4 }]);
  run();
  expect(hits.map(({ atNs }) => atNs)).toEqual([10, 15, 20, 25].map((at) => seconds(at)));
  const many = struck([{ how: "crash", everyNs: seconds(5), times: 40 }]);
  many.run();
  expect(new Set(names(many.hits)).size).toBeGreaterThan(5);
});
