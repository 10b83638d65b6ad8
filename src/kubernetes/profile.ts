/**
 * The Kubernetes half of a profile: every constant of the control plane, by component.
 *
 * Owns: putting the components' profiles together under one version name. Each component's constants
 * stand in its own profile.ts with unit and source.
 */
import { seconds } from "../engine/index.ts";
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

/** What differs from 1.36, as far as docs/sources.md records it: everything else is taken to be the same. */
const kubernetes132: KubernetesProfile = {
  ...kubernetes136,
  version: "1.32",
  kubelet: { ...kubeletProfile, crashBackoffPollNs: seconds(10) },
  kubeProxy: { ...kubeProxyProfile, syncBurst: 2 },
};

const kubernetes128: KubernetesProfile = {
  ...kubernetes132,
  version: "1.28",
  kubeProxy: { ...kubernetes132.kubeProxy, loadBalancerIPMode: false },
  controllerManager: {
    ...controllerManagerProfile,
    nodeLifecycle: { ...controllerManagerProfile.nodeLifecycle, graceNs: seconds(40) },
  },
};

/** By version: the constants of a scenario that names it. */
export const kubernetesVersions: Readonly<Record<string, KubernetesProfile>> = {
  "1.36": kubernetes136,
  "1.32": kubernetes132,
  "1.28": kubernetes128,
};
