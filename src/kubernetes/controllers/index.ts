/** The controllers of kube-controller-manager: one line each. */
import { HorizontalPodAutoscalerController } from "./autoscaler.ts";
import type { Controller } from "./contract.ts";
import { CronJobController } from "./cronjob.ts";
import { DeploymentController } from "./deployment.ts";
import { DaemonSetController } from "./daemonset.ts";
import { DisruptionController } from "./disruption.ts";
import { EndpointsController } from "./endpoints.ts";
import { EndpointSliceController } from "./endpointslice.ts";
import { JobController } from "./job.ts";
import { EndpointSliceMirroringController } from "./mirroring.ts";
import { NodeLifecycleController } from "./nodeLifecycle.ts";
import { PodGCController } from "./podGC.ts";
import { GarbageCollector } from "./garbageCollector.ts";
import type { ControllerManagerProfile } from "./profile.ts";
import { ReplicaSetController } from "./replicaset.ts";
import { StatefulSetController } from "./statefulset.ts";
import { TaintEvictionController } from "./taintEviction.ts";

export function createControllers({ endpoints }: ControllerManagerProfile): Controller[] {
  return [
    new DeploymentController(),
    new ReplicaSetController("ReplicaSet"),
    new ReplicaSetController("ReplicationController"),
    new StatefulSetController(),
    new DaemonSetController(),
    new JobController(),
    new CronJobController(),
    new DisruptionController(),
    new HorizontalPodAutoscalerController(),
    new EndpointSliceController(),
    new EndpointSliceMirroringController(),
    ...(endpoints.enabled ? [new EndpointsController()] : []),
    new NodeLifecycleController(),
    new TaintEvictionController(),
    new PodGCController(),
    new GarbageCollector(),
  ];
}
