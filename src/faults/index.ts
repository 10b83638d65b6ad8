/** The faults there are: one line each. Their words are ../scenario/faults. */
import type { FaultContext, FaultScheduler } from "./contract.ts";
import { apiOutage } from "./apiOutage.ts";
import { cordon } from "./cordon.ts";
import { crashNode } from "./crashNode.ts";
import { dnsOutage } from "./dnsOutage.ts";
import { drain } from "./drain.ts";
import { failSync } from "./failSync.ts";
import { flushConntrack } from "./flushConntrack.ts";
import { freezeNode } from "./freezeNode.ts";
import { labelNodes } from "./labelNodes.ts";
import { leaderChange } from "./leaderChange.ts";
import { netem } from "./netem.ts";
import { partition } from "./partition.ts";
import { partitionApi } from "./partitionApi.ts";
import { resetContainer } from "./resetContainer.ts";
import { resetPods } from "./resetPods.ts";
import { rolloutRestart } from "./rolloutRestart.ts";
import { rolloutUndo } from "./rolloutUndo.ts";
import { scale } from "./scale.ts";
import { setEndpoints } from "./setEndpoints.ts";
import { setImage } from "./setImage.ts";
import { shutdownNode } from "./shutdownNode.ts";
import { slowApi } from "./slowApi.ts";
import { stealCpu } from "./stealCpu.ts";
import { stopKubeProxy } from "./stopKubeProxy.ts";
import { zoneOutage } from "./zoneOutage.ts";

const members = {
  apiOutage,
  cordon,
  crashNode,
  dnsOutage,
  drain,
  failSync,
  flushConntrack,
  freezeNode,
  labelNodes,
  leaderChange,
  netem,
  partition,
  partitionApi,
  resetContainer,
  resetPods,
  rolloutRestart,
  rolloutUndo,
  scale,
  setEndpoints,
  setImage,
  shutdownNode,
  slowApi,
  stealCpu,
  stopKubeProxy,
  zoneOutage,
};

type SpecOf<Scheduler> = Scheduler extends FaultScheduler<infer Spec> ? Spec : never;

export type FaultSpec = SpecOf<(typeof members)[keyof typeof members]>;

/** Refuses a member under another name than its kind. */
const schedulers: {
  readonly [K in FaultSpec["kind"]]: FaultScheduler<Extract<FaultSpec, { kind: K }>>;
} = members;

/** Puts every fault of a scenario on the clock. */
export function scheduleFaults(faults: readonly FaultSpec[], context: FaultContext): void {
  for (const [index, fault] of faults.entries()) {
    schedule(fault, context, `${index}/${fault.kind}`);
  }
}

function schedule<K extends FaultSpec["kind"]>(
  fault: Extract<FaultSpec, { kind: K }>,
  context: FaultContext,
  name: string,
): void {
  schedulers[fault.kind as K](fault, context, name);
}
