/** What the death of a node costs: for how long other nodes send to its pods, and how many requests that loses. */
import { seconds, type DurationNs, type SimTimeNs } from "../../engine/index.ts";
import { Outcome, type OutcomeCode } from "../../observe/index.ts";
import { crashNode } from "../../scenario/faults/words.ts";
import type { Change, Figure, Measures, Question, Watch } from "../contract.ts";
import type { Target } from "../draft.ts";
import type { Lab, Point } from "../lab.ts";
import { callersAssume, prepareCallers, refuseSingleNode } from "../rollout.ts";
import type { Settings } from "../settings.ts";
import { value, withRange } from "../words.ts";

const CRASHES = "5s";
const CRASHES_NS = seconds(5);
/** Requests that are under way when the last node has followed may wait for their time-out. */
const TAIL_NS = seconds(5);

/** What may make it less: each is a setting of somebody's. */
const OTHERWISE: readonly Change[] = [
  { title: "node-monitor-grace-period 20s", settings: { nodeMonitorGrace: "20s" } },
  { title: "a client time-out of 500 ms", settings: { timeout: "500ms" } },
  { title: "clients keep their connections", settings: { connections: "kept" } },
  { title: "clients try a second time", settings: { attempts: 2 } },
];

export const nodeLoss: Question = {
  name: "node-loss",
  asks: "A node dies: for how long do the others send to its pods, and how many requests are lost?",
  does: ({ workload }) =>
    `a node that runs a pod of ${workload}, drawn from those that do, loses its power for good at 5 s; requests are looked at until no rules of another node hold a pod of it, and there is a pod to send to`,
  duration: "10m",
  prepare(draft) {
    prepareCallers(draft);
    const { workload } = draft.target;
    draft.scenario.faults = [crashNode({ workload, at: CRASHES })];
  },
  watch: (_scenario, target) => new NodeLossWatch(target),
  measure: (_run, _target, watch) => (watch as NodeLossWatch).measures,
  find,
  changes: () => OTHERWISE,
  assumes: (target) => [
    ...callersAssume(target),
    ...(target.type === "ClusterIP"
      ? ["clients on the node that dies are gone with it, and with them what they were waiting for"]
      : []),
    "node-monitor-grace-period is 50 s (--node-monitor-grace-period of kube-controller-manager); kubelets renew their leases every 10 s",
  ],
  unknown: [
    "A node that is slow or half cut off instead of dead: it may be ready and lose requests for as long as it likes.",
    "Whether the pods that are left can bear it: until tolerationSeconds have passed (300 s where a pod says nothing) there are fewer.",
    "Clients without a time-out of their own: on a connection that is kept they wait for Linux to give up, about 15 minutes.",
    "Load balancers that check nodes themselves, and meshes that eject a pod which does not answer: they may be sooner.",
  ],
};

/** Follows the Service's endpoints on the node that dies, and the requests from then on. */
class NodeLossWatch implements Watch {
  readonly #target: Target;
  #service = -1;
  /** Endpoints that can be used, in truth. */
  readonly #usable = new Set<number>();
  /** Changes that went to the nodes: those by which the node's endpoints went, and those by which others came. */
  readonly #gone = new Set<number>();
  readonly #come = new Set<number>();
  /** Of nodes' rules that do not hold them yet. */
  #waiting = 0;
  #lastGoneNs: SimTimeNs | null = null;
  #backNs: SimTimeNs | null = null;
  /** Of requests that ended from then on: when they began, and how long those took that failed. */
  readonly #served: SimTimeNs[] = [];
  readonly #failed: { readonly startedAtNs: SimTimeNs; readonly tookNs: DurationNs }[] = [];

  constructor(target: Target) {
    this.#target = target;
  }

  serviceNamed(service: number, name: string): void {
    if (name === this.#target.serviceKey) this.#service = service;
  }

  endpointNamed(endpoint: number, service: number): void {
    // Those that there are from the beginning are ready; of the others it is told when they are.
    if (service === this.#service && this.#gone.size === 0) this.#usable.add(endpoint);
  }

  endpointChanged(
    id: number,
    service: string,
    _endpoint: string,
    _change: string,
    atNs: SimTimeNs,
    usable: 0 | 1,
    index: number,
  ): void {
    if (service !== this.#target.serviceKey) return;
    if (usable === 1) {
      this.#usable.add(index);
      this.#come.add(id);
      return;
    }
    this.#usable.delete(index);
    if (atNs !== CRASHES_NS) return;
    this.#gone.add(id);
    // The dead node's own rules do not count any more.
    this.#waiting += this.#target.nodes - 1;
  }

  endpointProgrammed(id: number, _node: string, atNs: SimTimeNs): void {
    if (this.#gone.has(id)) {
      this.#waiting--;
      this.#lastGoneNs = atNs;
    } else if (this.#come.has(id)) this.#backNs = atNs;
  }

  requestEnded(
    client: number,
    _service: number,
    outcome: OutcomeCode,
    startedAtNs: SimTimeNs,
    endedAtNs: SimTimeNs,
  ): void {
    if (client !== 0 || endedAtNs < CRASHES_NS) return;
    if (outcome === Outcome.served) this.#served.push(startedAtNs);
    else this.#failed.push({ startedAtNs, tookNs: endedAtNs - startedAtNs });
  }

  /** When no node sends to the dead pods any more and there is one to send to; null: not yet. */
  get #overNs(): SimTimeNs | null {
    if (this.#waiting > 0 || this.#lastGoneNs === null || this.#usable.size === 0) return null;
    return Math.max(this.#lastGoneNs, this.#backNs ?? 0);
  }

  endNs(): number | null {
    const overNs = this.#overNs;
    return overNs === null ? null : overNs + TAIL_NS;
  }

  get measures(): Measures {
    const overNs = this.#overNs ?? Infinity;
    const failed = this.#failed.length;
    const waitedNs = this.#failed.reduce((sum, { tookNs }) => sum + tookNs, 0);
    const ended = failed + this.#served.filter((atNs) => atNs <= overNs).length;
    const isKnown = this.#waiting === 0 && this.#lastGoneNs !== null;
    return {
      sendsNs: isKnown ? this.#lastGoneNs! - CRASHES_NS : null,
      // Only where the node had all the pods.
      backNs: this.#backNs === null ? null : this.#backNs - CRASHES_NS,
      pods: this.#gone.size,
      failed,
      ended,
      failedShare: ended === 0 ? null : failed / ended,
      waitedNs: failed === 0 ? null : waitedNs / failed,
    };
  }
}

async function find(lab: Lab, settings: Settings): ReturnType<Question["find"]> {
  refuseSingleNode(lab.target);
  const point = await lab.at(settings);
  const figure = lost(point);
  // What is otherwise is asked for the difference alone.
  if (Object.keys(settings).length > 0) return { sentence: "", figures: [figure], tables: [] };
  const others: { readonly title: string; readonly point: Point }[] = [];
  for (const { title, settings: other } of OTHERWISE) {
    others.push({ title, point: await lab.at(other) });
  }
  const share = point.figure("of the requests until then", "failedShare", "share");
  const back = point.figure("until there is a pod again", "backNs", "ns");
  const alone =
    back.mean === null
      ? ""
      : `; no other node has a pod, and it takes ${withRange(back)} until one has`;
  return {
    sentence: `When a node with pods of ${lab.target.workload} dies, the others send to them for ${sent(point)} and ${withRange(figure)} requests are lost, ${value(share)} of those until then${alone}; ${best(point, others)}.`,
    figures: [
      figure,
      sends(point),
      share,
      point.figure("pods of the Service on the node", "pods", "count"),
    ],
    tables: [
      {
        title: "Settings",
        head: ["others send", "lost", "share", "each waits"],
        rows: [{ title: "as it is", point }, ...others].map(({ title, point: each }) => [
          title,
          ...columns(each),
        ]),
      },
    ],
  };
}

/** Which settings spare most requests, and most time. */
function best(
  asIs: Point,
  others: readonly { readonly title: string; readonly point: Point }[],
): string {
  const least = (of: (point: Point) => Figure) => {
    const usual = of(asIs).mean ?? Infinity;
    const sorted = others.toSorted((a, b) => meanOf(of(a.point)) - meanOf(of(b.point)));
    const [first] = sorted;
    // A tenth may be chance.
    return first !== undefined && meanOf(of(first.point)) < 0.9 * usual ? first : null;
  };
  const [fewest, soonest] = [least(lost), least(sends)];
  const spares =
    fewest === null
      ? "none of the settings that were tried spares many"
      : `of what was tried "${fewest.title}" spares most requests (${value(lost(fewest.point))} are lost)`;
  return soonest === null
    ? spares
    : `${spares}, and "${soonest.title}" shortens the time most, to ${value(sends(soonest.point))}`;
}

function meanOf({ mean }: Figure): number {
  return mean ?? Infinity;
}

function columns(point: Point): string[] {
  return [
    sends(point),
    lost(point),
    point.figure("", "failedShare", "share"),
    point.figure("", "waitedNs", "ns"),
  ].map(value);
}

function sent(point: Point): string {
  const figure = sends(point);
  return figure.mean === null ? "longer than the run" : withRange(figure);
}

function sends(point: Point): Figure {
  return point.figure("until no other node sends to its pods", "sendsNs", "ns");
}

function lost(point: Point): Figure {
  return point.figure("requests lost", "failed", "count");
}
