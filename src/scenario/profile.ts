/**
 * A profile: every constant of a run, by room, under one name.
 *
 * Owns: the composition. A scenario overrides single constants by their path; a constant whose name
 * ends in `Ns` is written without the suffix, as a Kubernetes duration.
 */
import { dockerProfile, type DockerProfile } from "../docker/profile.ts";
import {
  kubernetes136,
  kubernetesVersions,
  type KubernetesProfile,
} from "../kubernetes/profile.ts";
import { schedulers } from "../kubernetes/proxy/ipvs/schedulers.ts";
import { proxyModes } from "../kubernetes/proxy/modes/index.ts";
import { linuxProfile, type LinuxProfile } from "../network/profile.ts";
import { serverProfile, type ServerProfile } from "../workload/profile.ts";

export interface Profile {
  readonly name: string;
  readonly network: LinuxProfile;
  readonly kubernetes: KubernetesProfile;
  readonly server: ServerProfile;
  readonly docker: DockerProfile;
}

/** Constants that name one of a few, by their path: what they may say. All other text is free. */
export const profileChoices: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.version": Object.keys(kubernetesVersions),
  "kubernetes.kubeProxy.mode": Object.keys(proxyModes),
  "kubernetes.kubeProxy.iptables.backend": Object.keys(
    kubernetes136.kubeProxy.iptables.partialSync,
  ),
  "kubernetes.kubeProxy.ipvs.scheduler": Object.keys(schedulers),
  "kubernetes.kubeProxy.ebpf.algorithm": ["random", "maglev"],
  "server.onSigterm": ["drain", "drainListening", "exit", "ignore"],
  "kubernetes.kubelet.pleg": ["relist", "evented"],
};

/** The profile of the version that an override names, if it names one that there is. */
export function profileOfVersion(standard: Profile, override: unknown): Profile {
  const version =
    isRecord(override) && isRecord(override["kubernetes"])
      ? override["kubernetes"]["version"]
      : undefined;
  if (typeof version !== "string" || !Object.hasOwn(kubernetesVersions, version)) return standard;
  return {
    ...standard,
    name: `kubernetes-${version}`,
    kubernetes: kubernetesVersions[version]!,
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

export const defaultProfile: Profile = {
  name: "kubernetes-1.36",
  network: linuxProfile,
  kubernetes: kubernetes136,
  server: serverProfile,
  docker: dockerProfile,
};
