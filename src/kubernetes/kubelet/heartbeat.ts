/**
 * The node's signs of life: its Lease, and what its kubelet says of the node.
 *
 * Owns: renewing the lease, and the conditions Ready and MemoryPressure as the kubelet holds them. Refuses
 * to own: what follows when they stay away (the node lifecycle controller). Reports that would change
 * nothing, every 5 min upstream, are left out: nobody goes by them. Source: pkg/kubelet/kubelet.go,
 * k8s.io/component-helpers/apimachinery/lease/controller.go, kubelet_node_status.go; timings §1.6.
 */
import { Phase, type RandomStream } from "../../engine/index.ts";
import type { ApiClient, Informer } from "../api/contract.ts";
import { NODE_LEASE_NAMESPACE, type Lease, type Node } from "../api/types.ts";
import type { KubeletContext } from "./kubelet.ts";

export class Heartbeat {
  readonly #context: KubeletContext;
  readonly #client: ApiClient;
  readonly #stream: RandomStream;
  readonly #statusPhaseNs: number;
  #nodes: Informer<"Node"> | null = null;
  #memoryPressure = false;
  /** It does not go down. */
  #isReady = true;
  #reporting = false;

  constructor(context: KubeletContext) {
    this.#context = context;
    const { api, nodeName, sim, profile } = context;
    // A client of its own, without a limit: what else the kubelet writes does not hold it up.
    this.#client = api.client({
      name: `kubelet/${nodeName}/heartbeat`,
      qps: profile.heartbeatQps,
      burst: profile.heartbeatQps,
      user: `system:node:${nodeName}`,
      connection: `kubelet/${nodeName}`,
      background: true,
    });
    this.#stream = sim.streams.get(`kubelet/${nodeName}/lease`);
    this.#statusPhaseNs = Math.floor(this.#stream.uniform() * profile.nodeStatusUpdateNs);
    api.preload("Lease", this.#lease());
  }

  /** The kubelet starts, or has been running for days. */
  start(): void {
    const { api, nodeName, profile, clock } = this.#context;
    this.#nodes ??= api.watch("Node", {
      watcher: `kubelet/${nodeName}/node`,
      connection: `kubelet/${nodeName}`,
      nodeName,
      handlers: {
        updated: (_previous, node) => {
          if (this.#differs(node)) clock.hears(() => this.#reportSoon())();
        },
      },
    });
    this.#reporting = false;
    if (this.node !== undefined && this.#differs(this.node)) this.#report();
    this.#renewAfter(Math.floor(this.#stream.uniform() * profile.leaseRenewNs));
  }

  get node(): Node | undefined {
    return this.#nodes?.get(`/${this.#context.nodeName}`);
  }

  setMemoryPressure(isUnder: boolean): void {
    this.#memoryPressure = isUnder;
    this.#report();
  }

  /** The kubelet starts anew: its first report says so. */
  setReadyAtBoot(): void {
    this.#isReady = true;
  }

  /** Written at once (syncNodeStatus). */
  setReady(isReady: boolean): void {
    this.#isReady = isReady;
    this.#report();
  }

  #lease(): Lease {
    const { nodeName, sim, profile } = this.#context;
    return {
      kind: "Lease",
      metadata: {
        namespace: NODE_LEASE_NAMESPACE,
        name: nodeName,
        uid: `lease-${nodeName}`,
        labels: {},
        annotations: {},
        resourceVersion: 0,
        creationTimestampNs: 0,
        deletionTimestampNs: null,
        deletionGracePeriodNs: null,
        ownerUid: null,
      },
      spec: {
        holderIdentity: nodeName,
        renewTimeNs: sim.nowNs,
        leaseDurationNs: profile.leaseDurationNs,
      },
    };
  }

  /** wait.JitterUntil: the next renewal is up to 4 % late. */
  #renewAfter(delayNs: number): void {
    const { clock, profile, nodeName, sim } = this.#context;
    clock.after(delayNs, Phase.start, () => {
      const jitter = profile.leaseRenewJitter * this.#stream.uniform();
      this.#renewAfter(Math.round(profile.leaseRenewNs * (1 + jitter)));
      const key = `${NODE_LEASE_NAMESPACE}/${nodeName}`;
      const { nowNs } = sim;
      this.#client.patch("Lease", key, (stored) => ({
        ...stored,
        spec: { ...stored.spec, renewTimeNs: nowNs },
      }));
    });
  }

  #differs({ status }: Node): boolean {
    return (
      status.ready.status !== this.#isReady ||
      (status.memoryPressure ?? false) !== this.#memoryPressure
    );
  }

  /** Somebody else has called the node not ready: the kubelet sees it at its next pass. */
  #reportSoon(): void {
    if (this.#reporting) return;
    this.#reporting = true;
    const { sim, clock, profile } = this.#context;
    const { nodeStatusUpdateNs } = profile;
    const passed = (sim.nowNs - this.#statusPhaseNs) % nodeStatusUpdateNs;
    const waitNs = passed > 0 ? nodeStatusUpdateNs - passed : -passed;
    clock.after(waitNs, Phase.start, () => this.#report());
  }

  #report(): void {
    const { nodeName, sim } = this.#context;
    this.#reporting = false;
    const memoryPressure = this.#memoryPressure;
    const isReady = this.#isReady;
    this.#client.patch("Node", `/${nodeName}`, (stored) => {
      if (!this.#differs(stored)) return null;
      const { ready } = stored.status;
      const now =
        ready.status === isReady ? ready : { status: isReady, lastTransitionTimeNs: sim.nowNs };
      const pressure = memoryPressure || stored.status.memoryPressure !== undefined;
      const status = { ...stored.status, ready: now, ...(pressure && { memoryPressure }) };
      return { ...stored, status };
    });
  }
}
