/**
 * One kubelet with an exact API server and the real pod network, containers that do as a test says, and
 * a log of everything that happens to them.
 */
import { ms, Phase, seconds, type Simulation } from "../../src/engine/index.ts";
import { SimulatedApiServer } from "../../src/kubernetes/api/server.ts";
import type { Node, Pod } from "../../src/kubernetes/api/types.ts";
import type { ContainerProcess, Signal } from "../../src/kubernetes/kubelet/contract.ts";
import { Kubelet } from "../../src/kubernetes/kubelet/kubelet.ts";
import { kubeletProfile, type KubeletProfile } from "../../src/kubernetes/kubelet/profile.ts";
import { ChangeLedger } from "../../src/kubernetes/ledger.ts";
import { createObservations } from "../../src/observe/observations.ts";
import { exactApi, node, unthrottled } from "./kube-objects.ts";
import { wire } from "./wire.ts";

/** Every step of a start or an end takes exactly this long. */
export const VOLUMES_NS = ms(200);
export const SANDBOX_NS = ms(400);
export const START_NS = ms(300);
export const TEARDOWN_NS = ms(100);

export const exactKubelet: KubeletProfile = {
  ...kubeletProfile,
  volumesTime: { kind: "deterministic", value: VOLUMES_NS },
  sandboxTime: { kind: "deterministic", value: SANDBOX_NS },
  containerStartTime: { kind: "deterministic", value: START_NS },
  sandboxTeardownTime: { kind: "deterministic", value: TEARDOWN_NS },
};

export interface Logged {
  readonly atNs: number;
  readonly what: string;
}

/** A process that runs until it is told, or made, to end. */
export class FakeProcess implements ContainerProcess {
  readonly name: string;
  readonly #rig: Pick<KubeletRig, "sim" | "note">;
  readonly #onSigterm: "exit" | "ignore";
  readonly #exited: (code: number) => void;
  #alive = true;
  /** Working set, where a test gives it one. */
  memoryBytes: (() => number) | undefined = undefined;

  constructor(
    rig: Pick<KubeletRig, "sim" | "note">,
    name: string,
    onSigterm: "exit" | "ignore",
    exited: (code: number) => void,
  ) {
    this.name = name;
    this.#rig = rig;
    this.#onSigterm = onSigterm;
    this.#exited = exited;
  }

  get alive(): boolean {
    return this.#alive;
  }

  signal(signal: Signal): void {
    if (!this.#alive) return;
    this.#rig.note(`${signal} ${this.name}`);
    if (signal === "SIGKILL") this.exit(137);
    else if (this.#onSigterm === "exit") this.exit(0);
  }

  exit(code: number): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#rig.note(`exit ${this.name}`);
    this.#rig.sim.callAfter(0, Phase.complete, () => this.#exited(code));
  }
}

export interface KubeletRig {
  readonly sim: Simulation;
  readonly api: SimulatedApiServer;
  readonly kubelet: Kubelet;
  /** Everything that happened, with the pods' commits as "phase ready|not-ready address". */
  readonly log: Logged[];
  readonly processes: FakeProcess[];
  readonly note: (what: string) => void;
  /** A test's own writes, never throttled. */
  readonly hand: ReturnType<SimulatedApiServer["client"]>;
  /** Times of everything logged that begins with `what`. */
  readonly times: (what: string) => number[];
}

export interface KubeletRigOptions {
  readonly seed?: string;
  readonly onSigterm?: "exit" | "ignore";
  /** Answers probes; by default they pass. */
  readonly probe?: () => boolean;
  /** Told of each process that starts. */
  readonly started?: (process: FakeProcess, rig: KubeletRig) => void;
  readonly profile?: KubeletProfile;
  /** Before that the node has no address for a pod: such a try is logged as "sandbox NAME!". */
  readonly addressesFromNs?: number;
  /** node-0 is an object of the API too. */
  readonly withNode?: boolean;
  readonly countsMemory?: boolean;
  readonly images?: ReadonlyMap<string, number | null>;
}

/** node-0 with the pods given at rest on it. */
export function kubeletRig(
  options: KubeletRigOptions = {},
  atRest: readonly Pod[] = [],
): KubeletRig {
  const { seed = "kubelet", onSigterm = "exit", probe = () => true } = options;
  const { sim, network, guests } = wire(undefined, seed);
  const log: Logged[] = [];
  const note = (what: string): void => void log.push({ atNs: sim.nowNs, what });
  const api = new SimulatedApiServer(sim, exactApi, (kind, _previous, object) => {
    if (kind === "Pod") {
      note(`commit ${describePod(object as Pod | null)}`);
      for (const { reason } of (object as Pod | null)?.status.containerStatuses ?? []) {
        if (reason !== "") note(`reason ${reason}`);
      }
    }
    if (kind === "Lease") note("lease");
    if (kind === "Node") {
      const { ready, memoryPressure = false } = (object as Node).status;
      note(`node ${ready.status ? "ready" : "not-ready"}${memoryPressure ? " pressure" : ""}`);
    }
  });
  if (options.withNode === true) api.preload("Node", node("node-0"));
  const processes: FakeProcess[] = [];
  const observations = createObservations([]);
  const kubelet = new Kubelet({
    sim,
    api,
    profile: options.profile ?? exactKubelet,
    node: 0,
    nodeName: "node-0",
    network: {
      add: (index, name) => {
        const isEmpty = sim.nowNs < (options.addressesFromNs ?? 0);
        note(`sandbox ${name}${isEmpty ? "!" : " "}`);
        return isEmpty ? null : guests.add(index, name);
      },
      del: (sandbox) => {
        note("teardown");
        guests.del(sandbox);
      },
    },
    runtime: {
      start: (pod, container, _sandbox, exited) => {
        const name = `${pod.metadata.name}/${container.name}`;
        note(`start ${name}`);
        const process = new FakeProcess({ sim, note }, name, onSigterm, exited);
        processes.push(process);
        options.started?.(process, rig);
        return process;
      },
      crash: (process, code) => (process as FakeProcess).exit(code),
    },
    prober: {
      probe: (_node, _sandbox, handler, _timeoutNs, done) => {
        note(`probe ${handler.kind}`);
        sim.callAfter(ms(1), Phase.deliver, () => done(probe()));
      },
    },
    ledger: new ChangeLedger(observations),
    observations,
    addressText: (id) => network.addresses.text(id),
    images: options.images ?? new Map(),
    countsMemory: options.countsMemory ?? false,
  });
  const times = (what: string): number[] =>
    log.filter((each) => each.what.startsWith(what)).map(({ atNs }) => atNs);
  const hand = api.client(unthrottled);
  const rig: KubeletRig = { sim, api, kubelet, log, processes, note, hand, times };
  for (const pod of atRest) api.preload("Pod", kubelet.startAtRest(pod));
  kubelet.start();
  return rig;
}

function describePod(pod: Pod | null): string {
  if (pod === null) return "removed";
  const { phase, ready, podIPs } = pod.status;
  const going = pod.metadata.deletionTimestampNs === null ? "" : " terminating";
  return `${phase} ${ready.status ? "ready" : "not-ready"} ${podIPs[0] ?? "-"}${going}`;
}

/** `times` as seconds after `fromNs`. */
export const secondsAfter = (fromNs: number, times: readonly number[]): number[] =>
  times.map((atNs) => (atNs - fromNs) / seconds(1));
