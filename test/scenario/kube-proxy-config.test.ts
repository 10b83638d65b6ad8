/**
 * kube-proxy's settings from its own configuration. Fields and defaults: pkg/proxy/apis/config/v1alpha1.
 */
import { describe, expect, test } from "vitest";
import { hours, minutes, ms, seconds } from "../../src/engine/index.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { loadFiles, mistakesIn, scenarioText, webManifest } from "./files.ts";

const HEAD = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n";

/** As `kubectl -n kube-system get configmap kube-proxy -o yaml` shows it. */
const configMap = (config: string): string => `apiVersion: v1
kind: ConfigMap
metadata: { name: kube-proxy, namespace: kube-system }
data:
  config.conf: |-
${config.replace(/^/gm, "    ")}
  kubeconfig.conf: "apiVersion: v1"
`;

const filesWith = (config: string, fields = "") => ({
  "scenario.ts": scenarioText(`${fields}`).replace('"web.yaml"', '"web.yaml", "proxy.yaml"'),
  "web.yaml": webManifest(),
  "proxy.yaml": config,
});
const profileOf = async (config: string, fields = "") =>
  (await loadFiles(filesWith(config, fields), { profile: defaultProfile })).profile;
const mistakes = (config: string) => mistakesIn(filesWith(config), { profile: defaultProfile });

const settings = `mode: ipvs
clusterCIDR: "10.244.0.0/16,fd00:10:244::/64"
nodePortAddresses: [primary, 192.168.0.0/16]
ipvs: { scheduler: wlc, minSyncPeriod: 250ms }
iptables: { masqueradeAll: true, localhostNodePorts: false, syncPeriod: 1m0s, minSyncPeriod: 3s }
nftables: { minSyncPeriod: 0s, syncPeriod: 45s }
conntrack:
  maxPerCore: 65536
  min: 1000
  tcpEstablishedTimeout: 2h0m0s
  tcpCloseWaitTimeout: 0s
`;

describe.each([
  ["a file of its own", HEAD + settings],
  ["kubeadm's ConfigMap", configMap(HEAD + settings)],
])("%s", (_where, config) => {
  test("sets the profile under upstream's names", async () => {
    const { kubernetes, network } = await profileOf(config);
    const { kubeProxy } = kubernetes;
    expect(kubeProxy).toMatchObject({
      mode: "ipvs",
      clusterCIDR: ["10.244.0.0/16", "fd00:10:244::/64"],
      nodePortAddresses: ["primary", "192.168.0.0/16"],
      ipvs: { scheduler: "wlc", minSyncPeriodNs: ms(250), syncPeriodNs: seconds(30) },
      iptables: {
        masqueradeAll: true,
        localhostNodePorts: false,
        syncPeriodNs: minutes(1),
        minSyncPeriodNs: seconds(3),
      },
      // "0s" is "not set" to upstream: its default.
      nftables: { minSyncPeriodNs: seconds(1), syncPeriodNs: seconds(45), masqueradeAll: false },
    });
    expect(network.conntrack).toMatchObject({
      maxPerCore: 65_536,
      minEntries: 1000,
      establishedNs: hours(2),
      // "0s" leaves the kernel's own.
      closeWaitNs: seconds(60),
      unrepliedUdpNs: seconds(30),
    });
    // Whatever is not written stays.
    expect(kubeProxy.iptables.fullSyncByRules).toEqual(
      defaultProfile.kubernetes.kubeProxy.iptables.fullSyncByRules,
    );
  });

  test("what the scenario says itself comes after it", async () => {
    const fields = 'profile: { kubernetes: { kubeProxy: { ipvs: { scheduler: "sed" } } } },';
    const { kubeProxy } = (await profileOf(config, fields)).kubernetes;
    expect([kubeProxy.mode, kubeProxy.ipvs.scheduler]).toEqual(["ipvs", "sed"]);
  });
});

test("what kubeadm writes by default changes nothing", async () => {
  const kubeadm = `${HEAD}bindAddress: 0.0.0.0
bindAddressHardFail: false
clientConnection: { acceptContentTypes: "", burst: 0, contentType: "", kubeconfig: /var/lib/x, qps: 0 }
configSyncPeriod: 0s
conntrack: { maxPerCore: null, min: null, tcpBeLiberal: false, tcpCloseWaitTimeout: null, tcpEstablishedTimeout: null, udpStreamTimeout: 0s, udpTimeout: 0s }
detectLocal: { bridgeInterface: "", interfaceNamePrefix: "" }
detectLocalMode: ""
enableProfiling: false
healthzBindAddress: ""
hostnameOverride: ""
iptables: { localhostNodePorts: null, masqueradeAll: false, masqueradeBit: null, minSyncPeriod: 0s, syncPeriod: 0s }
ipvs: { excludeCIDRs: null, minSyncPeriod: 0s, scheduler: "", strictARP: false, syncPeriod: 0s, tcpFinTimeout: 0s, tcpTimeout: 0s, udpTimeout: 0s }
logging: { flushFrequency: 0, verbosity: 0 }
metricsBindAddress: ""
mode: ""
nftables: { masqueradeAll: false, masqueradeBit: null, minSyncPeriod: 0s, syncPeriod: 0s }
nodePortAddresses: null
oomScoreAdj: null
portRange: ""
showHiddenMetricsForVersion: ""
winkernel: { enableDSR: false, forwardHealthCheckVip: false, networkName: "", rootHnsEndpointName: "", sourceVip: "" }
`;
  expect(await profileOf(configMap(kubeadm))).toEqual(defaultProfile);
});

// Broken on purpose: with "" read as the cluster's range, and with clusterCIDR "" under another mode as none.
test("an empty clusterCIDR recognises no pod; another mode keeps the cluster's, and says so", async () => {
  const cidrOf = async (config: string) =>
    (await profileOf(HEAD + config)).kubernetes.kubeProxy.clusterCIDR;
  expect(await cidrOf('clusterCIDR: ""\n')).toEqual(["none"]);
  expect(await cidrOf('clusterCIDR: ""\ndetectLocalMode: NodeCIDR\n')).toEqual([]);
  expect(await cidrOf("mode: ipvs\n")).toEqual([]);
});

test("what is known and has no effect is listed; tcpBeLiberal has one", async () => {
  const config = `${HEAD}conntrack: { tcpBeLiberal: true, maxPerCore: 0 }
detectLocal: { bridgeInterface: br0 }
featureGates: { NFTablesProxyMode: true }
healthzBindAddress: 0.0.0.0:10257
ipvs: { excludeCIDRs: [10.0.0.0/8], strictARP: true, udpTimeout: 5m0s }
iptables: { masqueradeBit: 15 }
nftables: { masqueradeBit: 14 }
`;
  const { ignored, profile } = await loadFiles(filesWith(config), { profile: defaultProfile });
  expect(ignored.map(({ reason }) => reason)).toEqual([
    "pods are recognised by the cluster's CIDR",
    "gates are as in the release that is modelled",
    "healthz answers on port 10256",
    "the mark is 0x4000",
    "there are no virtual servers but kube-proxy's",
    "no node answers for the addresses of Services",
    "UDP flows last as long as conntrack says",
    "the table's size stays that of the profile",
  ]);
  expect(profile.kubernetes.kubeProxy.conntrackTcpBeLiberal).toBe(true);
});

describe("mistakes", () => {
  test("have their place, and say what was probably meant", async () => {
    expect(
      await mistakes(
        `${HEAD}mode: iptable\nipvs: { schedular: rr }\niptables: { syncPeriod: 30 }\n`,
      ),
    ).toEqual([
      'proxy.yaml:3:1 mode: "iptable"; allowed: "iptables", "nftables", "ipvs", "" (did you mean "iptables"?)',
      "proxy.yaml:4:9 ipvs.schedular: unknown field; allowed: a field of Kubernetes (did you mean scheduler?)",
      expect.stringMatching(/^proxy.yaml:5:13 iptables.syncPeriod: 30; allowed: .*"30s"/),
    ]);
  });

  test("inside the ConfigMap name the way into its text", async () => {
    expect(await mistakes(configMap(`${HEAD}ipvs: { scheduler: rrr }\n`))).toEqual([
      expect.stringMatching(
        /^proxy.yaml:5:3 data\["config.conf"\].ipvs.scheduler: "rrr"; .*mean "rr"/,
      ),
    ]);
    expect(await mistakes(configMap("mode: [unclosed"))).toEqual([
      expect.stringMatching(/^proxy.yaml:5:3 data\["config.conf"\]: line \d+: YAML: /),
    ]);
    expect(await mistakes(configMap(HEAD.replace("Proxy", "Proxi")))).toEqual([
      expect.stringContaining("(did you mean KubeProxyConfiguration?)"),
    ]);
  });

  test("a second configuration is one, and CIDRs are checked", async () => {
    expect(await mistakes(`${HEAD}---\n${HEAD}`)).toEqual([
      "proxy.yaml:4:1 a second configuration of kube-proxy; allowed: one".replace("1 a", "1: a"),
    ]);
    expect(await mistakes(`${HEAD}nodePortAddresses: [10.0.0.0]\n`)).toEqual([
      'proxy.yaml:3:21 nodePortAddresses[0]: "10.0.0.0"; allowed: a CIDR, or "primary"',
    ]);
  });
});

test("a scenario's own profile may name CIDRs, which are checked", async () => {
  const fields = (cidr: string) =>
    `profile: { kubernetes: { kubeProxy: { nodePortAddresses: ["${cidr}"] } } },`;
  const { kubeProxy } = (await profileOf(HEAD, fields("172.18.0.0/16"))).kubernetes;
  expect(kubeProxy.nodePortAddresses).toEqual(["172.18.0.0/16"]);
  expect(
    await mistakesIn(filesWith(HEAD, fields("172.18.0.0")), { profile: defaultProfile }),
  ).toEqual([
    'scenario.ts:5:41 profile.kubernetes.kubeProxy.nodePortAddresses: "172.18.0.0"; allowed: CIDRs',
  ]);
});

test("another ConfigMap has no effect and is listed", async () => {
  const other = configMap(HEAD).replace("kube-system", "default");
  const { ignored } = await loadFiles(filesWith(other), { profile: defaultProfile });
  expect(ignored.map(({ object, reason }) => `${object}: ${reason}`)).toEqual([
    "ConfigMap default/kube-proxy: configuration has no effect on the simulated network",
  ]);
});
