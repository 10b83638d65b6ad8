/**
 * The Kubernetes half of a profile: every constant of the control plane, by component.
 *
 * Owns: putting the components' profiles together under one version name. Each component's constants
 * stand in its own profile.ts with unit and source.
 */
import { apiServerProfile } from "./api/profile.ts";
import { controllerManagerProfile } from "./controllers/profile.ts";
import { loadBalancerProfile } from "./cloud/profile.ts";
import { dnsProfile } from "./dns/profile.ts";
import { kubeletProfile } from "./kubelet/profile.ts";
import { kubeProxyProfile } from "./proxy/profile.ts";
import { metricsProfile } from "./metrics/profile.ts";
import { schedulerProfile } from "./scheduler/profile.ts";

export const kubernetes136 = {
  version: "1.36",
  apiServer: apiServerProfile,
  controllerManager: controllerManagerProfile,
  scheduler: schedulerProfile,
  kubelet: kubeletProfile,
  kubeProxy: kubeProxyProfile,
  loadBalancer: loadBalancerProfile,
  dns: dnsProfile,
  metrics: metricsProfile,
};

export type KubernetesProfile = typeof kubernetes136;
