/** What nftables or IPVS gives over iptables at a cluster's number of Services: first packets, and updates of endpoints. */
import { count } from "../../output/index.ts";
import { resetPods } from "../../scenario/faults/words.ts";
import type { Figure, Question } from "../contract.ts";
import type { Lab, Point } from "../lab.ts";
import { prepareCallers, proxyMeasures } from "../rollout.ts";
import type { Settings } from "../settings.ts";
import { value, withRange } from "../words.ts";

const MODES = ["iptables", "nftables", "ipvs"] as const;
/** The break-even is looked for among so many Services, in steps of so many. */
const BREAK_EVEN = { most: 20_000, step: 50 };
/** How long a sync takes depends on the tables, not on draws. */
const FEW = 2;

export const proxyMode: Question = {
  name: "proxy-mode",
  asks: "What do I gain from kube-proxy's nftables or IPVS mode at my number of Services?",
  does: ({ workload }) =>
    `a pod of ${workload} is deleted at 5 s, 20 s and 35 s, in each mode on the same draws`,
  fillsWith: 5000,
  duration: "60s",
  prepare(draft) {
    prepareCallers(draft);
    const { workload } = draft.target;
    draft.scenario.faults = [resetPods({ workload, count: 1, at: "5s", every: "15s", times: 3 })];
  },
  measure: proxyMeasures,
  find,
  changes: ({ services, filler }) => [
    { title: "twice as many Services", settings: { services: services + 2 * filler } },
    { title: "minSyncPeriod 0s", settings: { minSyncPeriod: "0s" } },
    { title: "minSyncPeriod 10s", settings: { minSyncPeriod: "10s" } },
    { title: "iptables-legacy instead of iptables-nft", settings: { backend: "legacy" } },
  ],
  assumes: () => ["the mode is all that differs: each has the other settings of the cluster"],
  unknown: [
    "Caches of the CPU that miss: measured first packets vary three to four times as much (docs/scenarios/iptables-vs-nftables.md).",
    "nftables syncs at tens of thousands of Services: the model's transaction costs the same at any size, real ones 0.14 s at 10,000.",
    "What of iptables' rules other tools on the node rely on.",
  ],
};

async function find(lab: Lab, settings: Settings): ReturnType<Question["find"]> {
  const points = new Map<string, Point>();
  // What is otherwise is asked for the difference alone.
  const isAsIs = Object.keys(settings).length === 0;
  for (const mode of isAsIs ? MODES : MODES.slice(0, 2))
    points.set(mode, await lab.at({ ...settings, mode }));
  const [iptables, nftables] = [points.get("iptables")!, points.get("nftables")!];
  const saved = iptables.moreThan(
    nftables,
    "saved until no node sends to a pod that went",
    "removalNs",
    "ns",
  );
  const first = (point: Point): Figure =>
    point.figure("first packet of a connection in the rules", "walkNs", "ns");
  const removal = (point: Point): Figure => point.figure("", "removalNs", "ns");
  const even = isAsIs ? await breakEven(lab) : null;
  const ahead =
    even === null
      ? ""
      : ` A sync of nftables is the shorter one from ${count(even)} Services on (within ${BREAK_EVEN.step}).`;
  const own = lab.target.services + lab.target.filler;
  return {
    sentence: `At ${count(own)} Services nftables takes ${value(first(nftables))} for a connection's first packet and iptables ${value(first(iptables))}; the slowest node has forgotten a pod after ${value(removal(nftables))} in nftables mode and after ${value(removal(iptables))} in iptables mode, ${sooner(saved, nftables.moreThan(iptables, "", "removalNs", "ns"))}.${ahead}`,
    figures: [
      saved,
      iptables.moreThan(nftables, "saved of a connection's first packet", "walkNs", "ns"),
      iptables.moreThan(nftables, "saved of a sync", "syncNs", "ns"),
    ],
    tables: [
      {
        title: "Mode",
        head: ["first packet", "a sync", "removal, p50", "slowest", "time in syncs", "failed"],
        rows: [...points].map(([mode, point]) => [mode, ...columns(point)]),
      },
    ],
  };
}

/** "3.00 ms (1.00 ms to 5.00 ms) sooner". */
function sooner(saved: Figure, lost: Figure): string {
  return (saved.mean ?? 0) >= 0 ? `${withRange(saved)} sooner` : `${withRange(lost)} later`;
}

function columns(point: Point): string[] {
  const columnsOf = [
    ["walkNs", "ns"],
    ["syncNs", "ns"],
    ["removalP50Ns", "ns"],
    ["removalNs", "ns"],
    ["syncShare", "share"],
    ["failed", "count"],
  ] as const;
  return columnsOf.map(([measure, unit]) => value(point.figure("", measure, unit)));
}

/** The smallest number of Services at which a sync takes less time in nftables mode; null: there is none. */
async function breakEven(lab: Lab): Promise<number | null> {
  const { step, most } = BREAK_EVEN;
  const syncOf = async (services: number, mode: string): Promise<number> => {
    const point = await lab.at({ services, mode }, FEW);
    return point.figure("", "syncNs", "ns").mean ?? 0;
  };
  const isAhead = async (steps: number): Promise<boolean> => {
    const services = steps * step;
    return (await syncOf(services, "nftables")) < (await syncOf(services, "iptables"));
  };
  const steps = await lab.smallest(isAhead, { near: 4, most: most / step });
  return steps === null ? null : steps * step + lab.target.services;
}
