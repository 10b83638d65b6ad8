/** The controllers of kube-controller-manager: one line each. */
import type { Controller } from "./contract.ts";
import { DeploymentController } from "./deployment.ts";
import { EndpointSliceController } from "./endpointslice.ts";
import { NodeLifecycleController } from "./nodeLifecycle.ts";
import { PodGCController } from "./podGC.ts";
import { ReplicaSetController } from "./replicaset.ts";
import { TaintEvictionController } from "./taintEviction.ts";

export function createControllers(): Controller[] {
  return [
    new DeploymentController(),
    new ReplicaSetController("ReplicaSet"),
    new ReplicaSetController("ReplicationController"),
    new EndpointSliceController(),
    new NodeLifecycleController(),
    new TaintEvictionController(),
    new PodGCController(),
  ];
}
