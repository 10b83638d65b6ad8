/**
 * kubectl drain, and at the end uncordon: no new pods, and those that are there are evicted.
 *
 * Owns: kubectl's own part: it cordons all of them first; then nodes one after another, all pods of one at once; where a budget is spent it asks again
 * every 5 s; a pod counts as gone when the list says so, looked at every second. Pods of DaemonSets stay
 * (--ignore-daemonsets). Source: k8s.io/kubectl pkg/drain/drain.go evictPods, waitForDelete; pkg/cmd/drain.
 */
import { Phase, seconds, type DurationNs } from "../engine/index.ts";
import { objectKey, type Pod } from "../kubernetes/api/types.ts";
import type { FaultContext, FaultScheduler } from "./contract.ts";
import { setUnschedulable } from "./cordon.ts";
import { hostsOf } from "./hosts.ts";
import { evict } from "./resetPods.ts";
import { during, type Span } from "./span.ts";
import { onNodes, type StruckNodes } from "./struckNodes.ts";

export interface DrainSpec extends Span {
  readonly kind: "drain";
  readonly nodes: StruckNodes;
  /** --grace-period; null: each pod's own. */
  readonly gracePeriodNs: DurationNs | null;
}

/** drain.go: "error when evicting pods (will retry after 5s)". */
const RETRY_NS = seconds(5);
/** drain.go: kubectl.Interval of waitForDelete. */
const POLL_NS = seconds(1);

export const drain: FaultScheduler<DrainSpec> = (spec, context, name) => {
  const nodes = context.listed("Node");
  const daemonSets = context.listed("DaemonSet");
  onNodes(spec, context, name, (group) => {
    during(context, spec, { kind: spec.kind, object: `node/${group.text}` }, () => {
      const names = hostsOf(group, context).map(({ name: node }) => node);
      const keys = [...nodes.values()]
        .filter(({ metadata }) => names.includes(metadata.name))
        .map(objectKey);
      const owners = [...daemonSets.values()].map(({ metadata }) => metadata.uid);
      const command = new DrainCommand(spec, context, new Set(owners));
      setUnschedulable(keys, true, context, () => command.next(names));
      return () => {
        command.isOver = true;
        setUnschedulable(keys, false, context);
      };
    });
  });
};

class DrainCommand {
  isOver = false;
  readonly #spec: DrainSpec;
  readonly #context: FaultContext;
  /** Uids of DaemonSets. */
  readonly #daemonSets: ReadonlySet<string>;

  constructor(spec: DrainSpec, context: FaultContext, daemonSets: ReadonlySet<string>) {
    this.#spec = spec;
    this.#context = context;
    this.#daemonSets = daemonSets;
  }

  next(names: readonly string[]): void {
    const [name, ...rest] = names;
    if (name === undefined || this.isOver) return;
    const pods = [...this.#context.pods.values()].filter((pod) => this.#isToGo(pod, name));
    let left = pods.length;
    const gone = (): void => {
      if (--left > 0) return;
      this.#say("node_drained", `node/${name}`, "");
      this.next(rest);
    };
    if (left === 0) {
      left = 1;
      gone();
    }
    for (const pod of pods) this.#evict(pod, gone);
  }

  #isToGo({ metadata, spec }: Pod, node: string): boolean {
    return spec.nodeName === node && !this.#daemonSets.has(metadata.ownerUid ?? "");
  }

  #evict(pod: Pod, gone: () => void): void {
    if (this.isOver) return;
    const { gracePeriodNs } = this.#spec;
    evict(pod, this.#context, gracePeriodNs === null ? {} : { gracePeriodNs }, (answer) => {
      if (answer === "goes") this.#wait(pod, gone);
      else if (answer === "later") this.#after(RETRY_NS, () => this.#evict(pod, gone));
      else if (this.#isThere(pod)) this.#say("drain_failed", `pod/${objectKey(pod)}`, "");
      else gone();
    });
  }

  #wait(pod: Pod, gone: () => void): void {
    if (this.#isThere(pod)) this.#after(POLL_NS, () => this.#wait(pod, gone));
    else gone();
  }

  #isThere(pod: Pod): boolean {
    return this.#context.pods.get(objectKey(pod))?.metadata.uid === pod.metadata.uid;
  }

  #after(delayNs: DurationNs, act: () => void): void {
    this.#context.sim.callAfter(delayNs, Phase.start, act);
  }

  #say(kind: string, object: string, detail: string): void {
    const { observations, sim } = this.#context;
    observations.event(sim.nowNs, kind, object, detail);
  }
}
