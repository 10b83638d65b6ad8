/**
 * A profile: every constant of a run, by room, under one name.
 *
 * Owns: the composition. A scenario overrides single constants by their path; a constant whose name
 * ends in `Ns` is written without the suffix, as a Kubernetes duration.
 */
import { kubernetes136, type KubernetesProfile } from "../kubernetes/profile.ts";
import { linuxProfile, type LinuxProfile } from "../network/profile.ts";
import { serverProfile, type ServerProfile } from "../workload/profile.ts";

export interface Profile {
  readonly name: string;
  readonly network: LinuxProfile;
  readonly kubernetes: KubernetesProfile;
  readonly server: ServerProfile;
}

export const defaultProfile: Profile = {
  name: "kubernetes-1.36",
  network: linuxProfile,
  kubernetes: kubernetes136,
  server: serverProfile,
};
