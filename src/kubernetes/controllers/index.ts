/** The controllers of kube-controller-manager: one line each. */
import type { Controller } from "./contract.ts";
import { DeploymentController } from "./deployment.ts";
import { EndpointSliceController } from "./endpointslice.ts";
import { ReplicaSetController } from "./replicaset.ts";

export function createControllers(): Controller[] {
  return [
    new DeploymentController(),
    new ReplicaSetController("ReplicaSet"),
    new ReplicaSetController("ReplicationController"),
    new EndpointSliceController(),
  ];
}
