/**
 * An observer that writes down the lives of a run's pods.
 *
 * Owns: which observation is which stage of whose life; a name that is used again begins another life. Refuses to own:
 * which lives are asked for (index.ts) and their look.
 */
import type { SimTimeNs } from "../../engine/index.ts";
import type { Observer } from "../../observe/index.ts";
import type { LifeStage, LifeStep, PodLife } from "./record.ts";

/** Events of events.csv that are stages. */
const stageOfEvent: Readonly<Record<string, LifeStage>> = {
  pod_created: "created",
  pod_nominated: "nominated",
  pod_scheduled: "scheduled",
  pod_preempted: "preempted",
  sandbox_created: "sandbox created",
  container_started: "container started",
  pod_ready: "ready",
  pod_not_ready: "not ready",
  pod_in_endpoints: "in Endpoints",
  pod_off_endpoints: "off Endpoints",
  pod_terminating: "told to go",
  pre_stop: "preStop",
  sigterm: "SIGTERM",
  sigkill: "SIGKILL",
  container_exited: "container exited",
  sandbox_removed: "sandbox removed",
  pod_removed: "object gone",
};

interface Life {
  readonly pod: string;
  node: string;
  readonly endpoints: { readonly service: string; readonly endpoint: string }[];
  readonly steps: LifeStep[];
}

/** A change of an endpoint, and which nodes hold it. */
interface Change {
  readonly life: Life;
  readonly service: string;
  readonly usable: boolean;
  nodes: number;
  lastNode: string;
  lastAtNs: SimTimeNs;
}

export class PodLives implements Observer {
  readonly #byPod = new Map<string, Life[]>();
  readonly #byEndpoint: { readonly life: Life; readonly service: number }[] = [];
  readonly #changes: (Change | undefined)[] = [];
  readonly #services: string[] = [];
  #nodes = 0;

  nodeNamed(): void {
    this.#nodes++;
  }

  serviceNamed(service: number, name: string): void {
    this.#services[service] = name;
  }

  endpointNamed(index: number, service: number, endpoint: string, pod: string, node: string): void {
    const life = this.#lifeOf(pod);
    life.node = node;
    life.endpoints.push({ service: this.#services[service] ?? "", endpoint });
    this.#byEndpoint[index] = { life, service };
  }

  event(atNs: SimTimeNs, kind: string, object: string, detail: string): void {
    const stage = stageOfEvent[kind];
    if (stage === undefined || !object.startsWith("pod/")) return;
    const pod = object.slice("pod/".length);
    const life = stage === "created" ? this.#newLife(pod) : this.#lifeOf(pod);
    if (stage === "scheduled") life.node = detail;
    life.steps.push({ atNs, stage, detail });
  }

  endpointChanged(
    id: number,
    service: string,
    _endpoint: string,
    _change: string,
    _atNs: SimTimeNs,
    usable: 0 | 1,
    index: number,
  ): void {
    const known = this.#byEndpoint[index];
    if (known === undefined) return;
    const { life } = known;
    const nodes = { nodes: 0, lastNode: "", lastAtNs: 0 };
    this.#changes[id] = { life, service, usable: usable === 1, ...nodes };
  }

  endpointWritten(id: number, _seenAtNs: number, _statusAtNs: number, atNs: SimTimeNs): void {
    const change = this.#changes[id];
    if (change === undefined) return;
    const stage = change.usable ? "in slice" : "not ready in slice";
    change.life.steps.push({ atNs, stage, detail: change.service });
  }

  endpointLeftSlice(index: number, atNs: SimTimeNs): void {
    const known = this.#byEndpoint[index];
    if (known === undefined) return;
    const detail = this.#services[known.service] ?? "";
    known.life.steps.push({ atNs, stage: "removed from slice", detail });
  }

  endpointProgrammed(id: number, node: string, atNs: SimTimeNs): void {
    const change = this.#changes[id];
    if (change === undefined) return;
    change.nodes++;
    change.lastNode = node;
    change.lastAtNs = atNs;
    if (change.nodes > 1) return;
    const stage = change.usable ? "in force on the first node" : "off the first node";
    change.life.steps.push({ atNs, stage, detail: `${node} for ${change.service}` });
  }

  /** Every life so far, in order of first mention; steps in order of time. */
  lives(): PodLife[] {
    const last = new Map<Life, LifeStep[]>();
    for (const change of this.#changes) {
      if (change === undefined || change.nodes === 0) continue;
      const { life, usable, lastAtNs: atNs, lastNode, nodes, service } = change;
      const stage = usable ? "in force on the last node" : "off the last node";
      const detail = `${lastNode} for ${service}, ${nodes} of ${this.#nodes}`;
      last.set(life, [...(last.get(life) ?? []), { atNs, stage, detail }]);
    }
    return [...this.#byPod.values()].flat().map((life) => ({
      ...life,
      // Stable: what happened at one instant stays in the order in which it was observed.
      steps: [...begun(life), ...life.steps, ...(last.get(life) ?? [])].toSorted(
        (a, b) => a.atNs - b.atNs,
      ),
    }));
  }

  #newLife(pod: string): Life {
    const life: Life = { pod, node: "", endpoints: [], steps: [] };
    const known = this.#byPod.get(pod);
    if (known === undefined) this.#byPod.set(pod, [life]);
    else known.push(life);
    return life;
  }

  #lifeOf(pod: string): Life {
    return this.#byPod.get(pod)?.at(-1) ?? this.#newLife(pod);
  }
}

/** A life that was not seen to begin began before the run. */
function begun({ steps }: Life): LifeStep[] {
  if (steps.some(({ stage }) => stage === "created")) return [];
  return steps.some(({ stage }) => stage === "scheduled" || stage === "sandbox created")
    ? []
    : [{ atNs: 0, stage: "at rest", detail: "ready, and in force on every node" }];
}

/** The life that a name had at an instant: a StatefulSet's pod has several. */
export function lifeAt(lives: readonly PodLife[], pod: string, atNs: SimTimeNs): PodLife | null {
  const own = lives.filter((life) => life.pod === pod);
  return own.findLast(({ steps }) => (steps[0]?.atNs ?? 0) <= atNs) ?? own[0] ?? null;
}
