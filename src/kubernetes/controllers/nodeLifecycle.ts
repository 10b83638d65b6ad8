/**
 * The node lifecycle controller: which nodes are alive, by what it has observed itself.
 *
 * Owns: the grace after the last renewal seen, the Ready condition of silent nodes, their pods' readiness,
 * NoSchedule taints at once and NoExecute taints at each zone's pace. Refuses to own: deleting pods
 * (taintEviction.ts, podGC.ts). Source: pkg/controller/nodelifecycle; timings §5. Not modelled: nodes that
 * keep no Lease are not watched over; pressure conditions.
 */
import { Phase, type SimTimeNs } from "../../engine/index.ts";
import type { Informer } from "../api/contract.ts";
import {
  TAINT_MEMORY_PRESSURE,
  TAINT_NOT_READY,
  TAINT_UNREACHABLE,
  TAINT_UNSCHEDULABLE,
  withTaint,
  type Taint,
} from "../api/taints.ts";
import {
  NODE_LEASE_NAMESPACE,
  objectKey,
  ZONE_LABEL,
  type Lease,
  type Node,
  type Pod,
} from "../api/types.ts";
import type { Controller, ControllerContext } from "./contract.ts";
import { disruptedPaces, ZoneTainter, zoneStates } from "./nodeZones.ts";

/** What the controller has seen of a node: how it was, and when that last changed. */
interface Health {
  renewTimeNs: SimTimeNs;
  /** By this controller's own clock. */
  probeNs: SimTimeNs;
  /** As it was at the last look: then a change is acted on once. */
  ready: boolean;
}

const EXECUTE_KEYS = [TAINT_NOT_READY, TAINT_UNREACHABLE];

export class NodeLifecycleController implements Controller {
  readonly name = "node-lifecycle-controller";
  #context!: ControllerContext;
  #nodes!: Informer<"Node">;
  #leases!: Informer<"Lease">;
  readonly #health = new Map<string, Health>();
  readonly #podsByNode = new Map<string, Map<string, Pod>>();
  readonly #zones = new Map<string, ZoneTainter>();
  /** Nodes whose pods are being marked: sequential for each, so many at a time. */
  readonly #toMark: string[] = [];
  #marking = 0;
  #isMonitoring = false;
  #allDisrupted = false;

  get isIdle(): boolean {
    return (
      this.#toMark.length === 0 &&
      this.#marking === 0 &&
      [...this.#zones.values()].every(({ isIdle }) => isIdle)
    );
  }

  start(context: ControllerContext): void {
    this.#context = context;
    const { informers } = context;
    this.#nodes = informers.on("Node", {
      added: (node) => this.#taintAtOnce(node),
      updated: (_previous, node) => this.#taintAtOnce(node),
      deleted: (node) => this.#health.delete(node.metadata.name),
    });
    this.#leases = informers.on("Lease", { added: (lease) => this.#leaseSeen(lease) });
    const put = (pod: Pod): void => this.#putPod(pod);
    const pods = informers.on("Pod", {
      added: put,
      updated: (_previous, pod) => put(pod),
      deleted: (pod) => void this.#podsByNode.get(pod.spec.nodeName ?? "")?.delete(objectKey(pod)),
    });
    for (const pod of pods.values()) put(pod);
    for (const node of this.#nodes.values()) this.#taintAtOnce(node);
    for (const lease of this.#leases.values()) this.#leaseSeen(lease);
  }

  #leaseSeen({ metadata }: Lease): void {
    if (metadata.namespace === NODE_LEASE_NAMESPACE) this.#monitor();
  }

  #putPod(pod: Pod): void {
    const { nodeName } = pod.spec;
    if (nodeName === null) return;
    let pods = this.#podsByNode.get(nodeName);
    if (pods === undefined) this.#podsByNode.set(nodeName, (pods = new Map()));
    pods.set(objectKey(pod), pod);
  }

  /** Begins with the first Lease that there is: the loop of monitorNodeHealth. */
  #monitor(): void {
    if (this.#isMonitoring) return;
    this.#isMonitoring = true;
    const { sim, profile } = this.#context;
    const look = (): void => {
      this.#look();
      sim.callAfter(profile.nodeLifecycle.monitorPeriodNs, Phase.start, look);
    };
    look();
  }

  #look(): void {
    for (const node of this.#nodes.values()) this.#examine(node);
    this.#judgeZones();
  }

  #examine(node: Node): void {
    const { sim, profile } = this.#context;
    const { graceNs, startupGraceNs } = profile.nodeLifecycle;
    const { name } = node.metadata;
    const lease = this.#leases.get(`${NODE_LEASE_NAMESPACE}/${name}`);
    if (lease === undefined) return;
    const { ready } = node.status;
    let health = this.#health.get(name);
    if (health === undefined) {
      health = { renewTimeNs: lease.spec.renewTimeNs, probeNs: sim.nowNs, ready: ready.status };
      this.#health.set(name, health);
    }
    this.#noteRenewal(health, lease);
    const isStarting = node.metadata.creationTimestampNs + startupGraceNs > sim.nowNs;
    const allowedNs = isStarting && !ready.status ? startupGraceNs : graceNs;
    // Upstream asks for more than the grace, and its rounds are later than their period by what they take.
    const isSilent = sim.nowNs >= health.probeNs + allowedNs;
    if (isSilent && ready.unknown !== true) this.#declareUnknown(node);
    const isReady = ready.status && !isSilent;
    if (!isReady && health.ready) this.#markPods(name);
    health.ready = isReady;
    this.#queueTaint(node, isReady, isSilent || ready.unknown === true);
  }

  /** The grace begins when a renewal is seen, not when it was made. */
  #noteRenewal(health: Health, { spec }: Lease): void {
    if (spec.renewTimeNs <= health.renewTimeNs) return;
    health.renewTimeNs = spec.renewTimeNs;
    health.probeNs = this.#context.sim.nowNs;
  }

  #declareUnknown({ metadata }: Node): void {
    const { client, sim } = this.#context;
    client.patch("Node", `/${metadata.name}`, (stored) => {
      if (stored.status.ready.unknown === true) return null;
      const ready = { status: false, unknown: true, lastTransitionTimeNs: sim.nowNs };
      return { ...stored, status: { ...stored.status, ready } };
    });
  }

  /** MarkPodsNotReady: one pod after the other, eight nodes at a time, all by the controller's one client. */
  #markPods(node: string): void {
    this.#toMark.push(node);
    this.#nextNode();
  }

  #nextNode(): void {
    const { client, sim, profile } = this.#context;
    while (this.#marking < profile.nodeLifecycle.workers) {
      const node = this.#toMark.shift();
      if (node === undefined) return;
      this.#marking++;
      const pods = [...(this.#podsByNode.get(node)?.values() ?? [])];
      const next = (): void => {
        const pod = pods.shift();
        if (pod === undefined) {
          this.#marking--;
          this.#nextNode();
          return;
        }
        if (!pod.status.ready.status) {
          next();
          return;
        }
        client.patch(
          "Pod",
          objectKey(pod),
          (stored) => notReady(stored, pod.metadata.uid, sim.nowNs),
          (_pod, error) => {
            // NodeNotReady, of each pod.
            if (error === null) client.recordEvent(pod.metadata.uid);
            next();
          },
        );
      };
      next();
    }
  }

  /** doNoScheduleTaintingPass: by the node's condition, at once. */
  #taintAtOnce(node: Node): void {
    const { ready, memoryPressure = false } = node.status;
    const wanted = [
      ...(ready.status ? [] : [ready.unknown === true ? TAINT_UNREACHABLE : TAINT_NOT_READY]),
      ...(node.spec.unschedulable ? [TAINT_UNSCHEDULABLE] : []),
      ...(memoryPressure ? [TAINT_MEMORY_PRESSURE] : []),
    ];
    const own = [TAINT_NOT_READY, TAINT_UNREACHABLE, TAINT_UNSCHEDULABLE, TAINT_MEMORY_PRESSURE];
    const present = (node.spec.taints ?? [])
      .filter(({ key, effect }) => effect === "NoSchedule" && own.includes(key))
      .map(({ key }) => key);
    if (present.length === wanted.length && wanted.every((key) => present.includes(key))) return;
    const { client } = this.#context;
    client.patch("Node", objectKey(node), (stored) => {
      const taints = [
        ...withTaint(stored.spec.taints, own, "NoSchedule", null),
        ...wanted.map((key) => newTaint(key, "NoSchedule", null)),
      ];
      return { ...stored, spec: { ...stored.spec, taints } };
    });
  }

  #queueTaint(node: Node, isReady: boolean, isUnknown: boolean): void {
    const { name } = node.metadata;
    const tainter = this.#tainterOf(node);
    const wanted = isReady ? null : isUnknown ? TAINT_UNREACHABLE : TAINT_NOT_READY;
    const present = executeTaintOf(node);
    if (wanted === null) {
      tainter.cancel(name);
      if (present !== null) this.#writeTaint(name, null);
    } else if (this.#allDisrupted) {
      return;
    } else if (present === null) {
      tainter.add(name);
    } else if (present !== wanted) {
      this.#writeTaint(name, wanted);
    }
  }

  #tainterOf({ metadata }: Node): ZoneTainter {
    const zone = metadata.labels[ZONE_LABEL] ?? "";
    let tainter = this.#zones.get(zone);
    if (tainter === undefined) {
      const { sim, profile } = this.#context;
      tainter = new ZoneTainter(sim, profile.nodeLifecycle, (name) => this.#taint(name));
      this.#zones.set(zone, tainter);
    }
    return tainter;
  }

  /** It is the node's turn: by its condition as it is now. */
  #taint(name: string): void {
    const node = this.#nodes.get(`/${name}`);
    if (node === undefined || node.status.ready.status) return;
    this.#writeTaint(
      name,
      node.status.ready.unknown === true ? TAINT_UNREACHABLE : TAINT_NOT_READY,
    );
  }

  #writeTaint(name: string, key: string | null): void {
    const { client, sim } = this.#context;
    client.patch("Node", `/${name}`, (stored) => {
      const taint = key === null ? null : newTaint(key, "NoExecute", sim.nowNs);
      const taints = withTaint(stored.spec.taints, EXECUTE_KEYS, "NoExecute", taint);
      return { ...stored, spec: { ...stored.spec, taints } };
    });
  }

  /** handleDisruption: with every zone dark it is the controller that cannot see, so nobody is evicted. */
  #judgeZones(): void {
    const { profile, sim } = this.#context;
    const zones = zoneStates(this.#nodes.values(), (name) => this.#health.get(name)?.ready ?? true);
    const all = zones.size > 0 && [...zones.values()].every(({ state }) => state === "full");
    if (all && !this.#allDisrupted) {
      for (const node of this.#nodes.values()) {
        this.#tainterOf(node).cancel(node.metadata.name);
        if (executeTaintOf(node) !== null) this.#writeTaint(node.metadata.name, null);
      }
    } else if (!all && this.#allDisrupted) {
      // What was not seen meanwhile is held against nobody.
      for (const health of this.#health.values()) health.probeNs = sim.nowNs;
    }
    this.#allDisrupted = all;
    for (const [zone, pace] of disruptedPaces(zones, profile.nodeLifecycle)) {
      this.#zones.get(zone)?.setPace(all ? 0 : pace);
    }
  }
}

function newTaint(key: string, effect: Taint["effect"], timeAddedNs: SimTimeNs | null): Taint {
  return { key, value: "", effect, timeAddedNs };
}

function executeTaintOf({ spec }: Node): string | null {
  const taint = spec.taints?.find(
    ({ key, effect }) => effect === "NoExecute" && EXECUTE_KEYS.includes(key),
  );
  return taint?.key ?? null;
}

function notReady(stored: Pod, uid: string, nowNs: SimTimeNs): Pod | null {
  if (stored.metadata.uid !== uid || !stored.status.ready.status) return null;
  const ready = { ...stored.status.ready, status: false, lastTransitionTimeNs: nowNs };
  return { ...stored, status: { ...stored.status, ready, observedCauseNs: nowNs } };
}
