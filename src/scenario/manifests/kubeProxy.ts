/**
 * kube-proxy's own configuration: a KubeProxyConfiguration, or the ConfigMap that kubeadm puts it in.
 *
 * Owns: its fields with upstream's defaults, and which constants of the profile each one sets. Refuses to
 * own: those constants. Source: pkg/proxy/apis/config/v1alpha1 and kube-proxy's reference (v1alpha1).
 */
import { z } from "zod";
import { hours } from "../../engine/index.ts";
import { parsePrefix } from "../../network/address.ts";
import { schedulers, type SchedulerName } from "../../kubernetes/proxy/ipvs/schedulers.ts";
import { nearest, pathText, type FileMistakes, type Mistake, type Path } from "../mistakes.ts";
import type { Profile } from "../profile.ts";
import {
  boolean,
  duration,
  integer,
  isRecord,
  read,
  scalar,
  text,
  word,
} from "../schema/reading.ts";
import { checkFieldNames, kubeProxyFields } from "./fields.ts";
import type { ManifestContext } from "./objects.ts";
import { readYaml } from "./yaml.ts";

const API_VERSION = "kubeproxy.config.k8s.io/v1alpha1";
const CONFIG_KEY = "config.conf";
/** The kernel's own time-outs, which "0s" leaves as they are (nf_conntrack-sysctl). */
const KERNEL_ESTABLISHED_NS = hours(24 * 5);
const KERNEL_CLOSE_WAIT_NS = 60e9;

const addresses = z.array(
  scalar('a CIDR, or "primary"', (input) =>
    typeof input === "string" && (input === "primary" || isCIDR(input)) ? { value: input } : null,
  ),
);
/** One CIDR, or one of each family. */
const cidrs = scalar('a CIDR, or two of different families: "10.244.0.0/16,fd00::/64"', (input) =>
  typeof input === "string" && (input === "" || input.split(",").every(isCIDR))
    ? { value: input }
    : null,
);
const count = integer("a number of entries", 0, 2 ** 31);

/** Fields that no part of the simulated network depends on, or whose effect is not here to be set. */
const WITHOUT_EFFECT = new Map([
  ["detectLocal", "pods are recognised by the cluster's CIDR"],
  ["featureGates", "gates are as in the release that is modelled"],
  ["healthzBindAddress", "healthz answers on port 10256"],
  ["iptables.masqueradeBit", "the mark is 0x4000"],
  ["nftables.masqueradeBit", "the mark is 0x4000"],
  ["ipvs.excludeCIDRs", "there are no virtual servers but kube-proxy's"],
  ["ipvs.strictARP", "no node answers for the addresses of Services"],
  ["ipvs.udpTimeout", "UDP flows last as long as conntrack says"],
]);
/** The mark's bit by default: 0x4000. */
const MASQUERADE_BIT = 14;

const periods = { syncPeriod: duration.optional(), minSyncPeriod: duration.optional() };

const schema = z.object({
  mode: word("iptables", "nftables", "ipvs", "").optional(),
  clusterCIDR: cidrs.optional(),
  nodePortAddresses: addresses.optional(),
  detectLocalMode: text("text").optional(),
  iptables: z
    .object({
      ...periods,
      masqueradeAll: boolean.optional(),
      localhostNodePorts: boolean.optional(),
    })
    .optional(),
  nftables: z.object({ ...periods, masqueradeAll: boolean.optional() }).optional(),
  ipvs: z
    .object({
      ...periods,
      scheduler: word(...(Object.keys(schedulers) as SchedulerName[]), "").optional(),
      tcpTimeout: duration.optional(),
      tcpFinTimeout: duration.optional(),
    })
    .optional(),
  conntrack: z
    .object({
      tcpBeLiberal: boolean.optional(),
      maxPerCore: count.optional(),
      min: count.optional(),
      tcpEstablishedTimeout: duration.optional(),
      tcpCloseWaitTimeout: duration.optional(),
      udpTimeout: duration.optional(),
      udpStreamTimeout: duration.optional(),
    })
    .optional(),
});

type Written = z.output<typeof schema>;

/** A KubeProxyConfiguration of its own, as `kube-proxy --config` reads it. */
export function readKubeProxyConfiguration(context: ManifestContext): boolean {
  return readConfiguration(context.value, context.mistakes, [], context);
}

/** The ConfigMap kube-proxy of kube-system holds a configuration as text; others have no effect here. */
export function readConfigMap(context: ManifestContext): boolean {
  const { value, mistakes, ignore } = context;
  const { metadata, data } = value;
  const isKubeProxys =
    isRecord(metadata) &&
    metadata["name"] === "kube-proxy" &&
    metadata["namespace"] === "kube-system";
  const written = isRecord(data) ? data[CONFIG_KEY] : undefined;
  if (!isKubeProxys || typeof written !== "string") {
    ignore([], "configuration has no effect on the simulated network");
    return true;
  }
  const path: Path = ["data", CONFIG_KEY];
  const found: Mistake[] = [];
  const documents = readYaml("", new TextEncoder().encode(written), found);
  for (const each of found)
    mistakes.add(path, `line ${each.line ?? 1}: ${each.found}`, each.allowed);
  if (found.length > 0) return false;
  return documents.every(({ value: part }) => readText(part, path, context));
}

function readText(part: unknown, path: Path, context: ManifestContext): boolean {
  const { mistakes } = context;
  if (!isRecord(part)) {
    mistakes.add(path, "no object", `a KubeProxyConfiguration of ${API_VERSION}`);
    return false;
  }
  const { apiVersion, kind } = part;
  if (kind === "KubeProxyConfiguration" && apiVersion === API_VERSION) {
    checkFieldNames(part, kubeProxyFields, mistakes.within(path), (unknown) =>
      context.ignore([...path, ...unknown], `unknown field ${pathText(unknown)}`),
    );
    return readConfiguration(part, mistakes.within(path), path, context);
  }
  const found = `${String(kind)} of ${String(apiVersion)}`;
  const meant = nearest(String(kind), ["KubeProxyConfiguration"]);
  mistakes.add(path, found, `a KubeProxyConfiguration of ${API_VERSION}`, meant);
  return false;
}

function readConfiguration(
  value: Record<string, unknown>,
  mistakes: FileMistakes,
  base: Path,
  { objects, ignore }: ManifestContext,
): boolean {
  const written = read(schema, value, mistakes);
  if (objects.kubeProxy !== null) mistakes.add([], "a second configuration of kube-proxy", "one");
  if (written === undefined) return false;
  noticeUnmodelled(written, value, base, ignore);
  objects.kubeProxy = (profile) => applied(profile, written);
  return true;
}

function noticeUnmodelled(
  { detectLocalMode, conntrack }: Written,
  whole: Record<string, unknown>,
  base: Path,
  ignore: ManifestContext["ignore"],
): void {
  if (detectLocalMode !== undefined && !["", "ClusterCIDR"].includes(detectLocalMode)) {
    ignore([...base, "detectLocalMode"], "pods are recognised by the cluster's CIDR");
  }
  for (const [field, reason] of WITHOUT_EFFECT) {
    const path = field.split(".");
    const value = path.reduce<unknown>((at, name) => (isRecord(at) ? at[name] : undefined), whole);
    if (!isUnset(value)) ignore([...base, ...path], reason);
  }
  if (conntrack?.maxPerCore === 0) {
    ignore([...base, "conntrack", "maxPerCore"], "the table's size stays that of the profile");
  }
}

/** As kubeadm writes a field that nobody has set, or with the value that it has anyway. */
function isUnset(value: unknown): boolean {
  if (isRecord(value)) return Object.values(value).every(isUnset);
  if (Array.isArray(value)) return value.length === 0;
  return [undefined, null, "", "0s", false, 0, MASQUERADE_BIT].includes(value as null);
}

/** "" tells no pod from another sender, as upstream; a configuration without the field leaves the profile's. */
function detectorOf(
  { clusterCIDR, detectLocalMode }: Written,
  standard: readonly string[],
): readonly string[] {
  if (clusterCIDR === undefined) return standard;
  if (clusterCIDR !== "") return clusterCIDR.split(",");
  return ["", "ClusterCIDR"].includes(detectLocalMode ?? "") ? ["none"] : standard;
}

/** As upstream's defaults: nothing, "" and, for periods, "0s" leave a constant as it is. */
function applied(profile: Profile, written: Written): Profile {
  const { kubeProxy } = profile.kubernetes;
  const { mode, nodePortAddresses, iptables, nftables, ipvs, conntrack } = written;
  return {
    ...profile,
    network: { ...profile.network, conntrack: tracked(profile.network.conntrack, conntrack) },
    kubernetes: {
      ...profile.kubernetes,
      kubeProxy: {
        ...kubeProxy,
        mode: mode === "" || mode === undefined ? kubeProxy.mode : mode,
        clusterCIDR: detectorOf(written, kubeProxy.clusterCIDR),
        conntrackTcpBeLiberal: conntrack?.tcpBeLiberal ?? kubeProxy.conntrackTcpBeLiberal,
        nodePortAddresses: nodePortAddresses ?? kubeProxy.nodePortAddresses,
        iptables: {
          ...kubeProxy.iptables,
          ...periodsOf(iptables),
          masqueradeAll: iptables?.masqueradeAll ?? kubeProxy.iptables.masqueradeAll,
          localhostNodePorts: iptables?.localhostNodePorts ?? kubeProxy.iptables.localhostNodePorts,
        },
        nftables: {
          ...kubeProxy.nftables,
          ...periodsOf(nftables),
          masqueradeAll: nftables?.masqueradeAll ?? kubeProxy.nftables.masqueradeAll,
        },
        ipvs: {
          ...kubeProxy.ipvs,
          ...periodsOf(ipvs),
          ...(ipvs?.scheduler ? { scheduler: ipvs.scheduler } : {}),
          ...(ipvs?.tcpTimeout ? { tcpTimeoutNs: ipvs.tcpTimeout } : {}),
          ...(ipvs?.tcpFinTimeout ? { tcpFinTimeoutNs: ipvs.tcpFinTimeout } : {}),
        },
      },
    },
  };
}

interface Periods {
  readonly syncPeriod?: number | undefined;
  readonly minSyncPeriod?: number | undefined;
}

function periodsOf({ syncPeriod, minSyncPeriod }: Periods = {}) {
  return {
    ...(syncPeriod ? { syncPeriodNs: syncPeriod } : {}),
    ...(minSyncPeriod ? { minSyncPeriodNs: minSyncPeriod } : {}),
  };
}

type Conntrack = Profile["network"]["conntrack"];

function tracked(standard: Conntrack, written: Written["conntrack"] = {}): Conntrack {
  const { maxPerCore, min, tcpEstablishedTimeout, tcpCloseWaitTimeout } = written;
  const { udpTimeout, udpStreamTimeout } = written;
  return {
    ...standard,
    maxPerCore: maxPerCore || standard.maxPerCore,
    minEntries: min ?? standard.minEntries,
    establishedNs: orKernels(tcpEstablishedTimeout, standard.establishedNs, KERNEL_ESTABLISHED_NS),
    closeWaitNs: orKernels(tcpCloseWaitTimeout, standard.closeWaitNs, KERNEL_CLOSE_WAIT_NS),
    // "0s" leaves UDP's to the kernel, whose they are in the profile.
    unrepliedUdpNs: udpTimeout || standard.unrepliedUdpNs,
    streamUdpNs: udpStreamTimeout || standard.streamUdpNs,
  };
}

/** Not written: kube-proxy's default, as in the profile. "0s": the kernel's. */
function orKernels(written: number | undefined, standard: number, kernels: number): number {
  if (written === undefined) return standard;
  return written === 0 ? kernels : written;
}

/** CIDRs that a scenario's own profile names: they have been read as texts only. */
export function checkCIDRs({ kubernetes }: Profile, mistakes: FileMistakes): void {
  const { clusterCIDR, nodePortAddresses } = kubernetes.kubeProxy;
  const lists = {
    clusterCIDR: clusterCIDR.filter((each) => each !== "none" && !isCIDR(each)),
    nodePortAddresses: nodePortAddresses.filter((each) => each !== "primary" && !isCIDR(each)),
  };
  for (const [name, wrong] of Object.entries(lists)) {
    for (const each of wrong) {
      mistakes.add(["profile", "kubernetes", "kubeProxy", name], `"${each}"`, "CIDRs");
    }
  }
}

function isCIDR(input: string): boolean {
  try {
    parsePrefix(input);
    return true;
  } catch {
    return false;
  }
}
