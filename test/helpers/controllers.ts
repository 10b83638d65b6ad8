/**
 * Controllers at work on an exact API server, and hands of a kubelet that make pods ready.
 *
 * Owns: starting them, and a stand-in for scheduler and kubelets where a test is about controllers alone.
 */
import { Phase, Simulation, type DurationNs } from "../../src/engine/index.ts";
import { SimulatedApiServer, type CommitListener } from "../../src/kubernetes/api/server.ts";
import {
  objectKey,
  type Kind,
  type ObjectByKind,
  type Pod,
} from "../../src/kubernetes/api/types.ts";
import {
  SharedInformers,
  type Controller,
  type ControllerContext,
} from "../../src/kubernetes/controllers/contract.ts";
import {
  controllerManagerProfile,
  type ControllerManagerProfile,
} from "../../src/kubernetes/controllers/profile.ts";
import { exactApi, unthrottled } from "./kube-objects.ts";

export interface ControllersOptions {
  readonly controllers: readonly Controller[];
  /** Of each controller's client. Default: never throttled. */
  readonly qps?: number;
  readonly profile?: Partial<ControllerManagerProfile>;
  readonly seen?: CommitListener;
  readonly podMetrics?: ControllerContext["podMetrics"];
  readonly epochSeconds?: number;
}

export function runControllers(options: ControllersOptions) {
  const { controllers, qps = 1e6, profile = {}, seen, podMetrics, epochSeconds = 0 } = options;
  const sim = new Simulation({ seed: "sets" });
  const api = new SimulatedApiServer(sim, exactApi, (kind, previous, object) =>
    seen?.(kind, previous, object),
  );
  const hand = api.client(unthrottled);
  return {
    sim,
    api,
    hand,
    start: (synced = false): void => {
      const informers = new SharedInformers(api, "kcm");
      for (const each of controllers) {
        const client = api.client({ name: each.name, qps, burst: Math.max(30, qps) });
        const own = { ...controllerManagerProfile, ...profile };
        const metrics = podMetrics === undefined ? {} : { podMetrics };
        each.start({ sim, profile: own, client, informers, epochSeconds, ...metrics }, synced);
      }
      informers.synced();
    },
    list: <K extends Kind>(kind: K): ObjectByKind[K][] => [...api.list(kind)],
    get: <K extends Kind>(kind: K, key: string): ObjectByKind[K] =>
      [...api.list(kind)].find((object) => objectKey(object) === key)!,
    at: (atNs: number, act: () => void): void => void sim.callAt(atNs, Phase.start, act),
  };
}

export type Running = ReturnType<typeof runControllers>;

export interface FakeKubelets {
  readonly readyNs: (pod: Pod) => DurationNs | null;
  readonly goneNs: DurationNs;
  /** Where the scheduler puts it. Default: node-0. */
  readonly nodeOf?: (pod: Pod) => string;
}

/**
 * Scheduler and kubelets in one: a new pod is Running on a node at once and ready after `readyNs` (null:
 * never); a deleted one is gone `goneNs` later.
 */
export function fakeKubelets(
  { sim, api, hand }: Pick<Running, "sim" | "api" | "hand">,
  options: FakeKubelets,
): void {
  const going = new Set<string>();
  api.watch("Pod", {
    watcher: "fake-kubelets",
    handlers: {
      added: (pod) => {
        if (pod.spec.nodeName !== null) return;
        const key = objectKey(pod);
        hand.patch("Pod", key, (stored) => ({
          ...stored,
          spec: { ...stored.spec, nodeName: options.nodeOf?.(pod) ?? "node-0" },
          status: { ...stored.status, phase: "Running" },
        }));
        const afterNs = options.readyNs(pod);
        if (afterNs === null) return;
        sim.callAfter(afterNs, Phase.start, () => setReady({ sim, hand }, pod));
      },
      updated: (_previous, pod) => {
        const { uid, deletionTimestampNs } = pod.metadata;
        if (deletionTimestampNs === null || going.has(uid)) return;
        going.add(uid);
        sim.callAfter(options.goneNs, Phase.start, () =>
          hand.delete("Pod", objectKey(pod), { gracePeriodNs: 0, uid }),
        );
      },
    },
  });
}

export function setReady(
  { sim, hand }: Pick<Running, "sim" | "hand">,
  pod: Pod,
  ready = true,
): void {
  hand.patch("Pod", objectKey(pod), (stored) =>
    stored.metadata.uid !== pod.metadata.uid && pod.metadata.uid !== ""
      ? null
      : {
          ...stored,
          status: { ...stored.status, ready: { status: ready, lastTransitionTimeNs: sim.nowNs } },
        },
  );
}
