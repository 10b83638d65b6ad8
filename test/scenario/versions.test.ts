/** Profiles by Kubernetes version: what a scenario gets when it names one. Facts: timings §1.4, §5, §7.1. */
import { expect, test } from "vitest";
import { seconds } from "../../src/engine/index.ts";
import { kubernetesVersions } from "../../src/kubernetes/profile.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { loadFiles, mistakesIn, scenarioText, webManifest } from "./files.ts";

const files = (kubernetes: string): Record<string, string> => ({
  "scenario.ts": scenarioText(`profile: { kubernetes: ${kubernetes} },`),
  "web.yaml": webManifest(),
});
const profileOf = async (kubernetes: string) =>
  (await loadFiles(files(kubernetes), { profile: defaultProfile })).profile;

test.each([
  ["1.36", seconds(50), 0, 0, true],
  ["1.32", seconds(50), 2, seconds(10), true],
  ["1.28", seconds(40), 2, seconds(10), false],
])(
  "%s: node grace, burst of the sync runner, crash back-off polling, ipMode",
  async (version, grace, burst, poll, ipMode) => {
    const { name, kubernetes } = await profileOf(`{ version: "${version}" }`);
    expect([name, kubernetes.version]).toEqual([`kubernetes-${version}`, version]);
    expect(kubernetes.controllerManager.nodeLifecycle.graceNs).toBe(grace);
    expect(kubernetes.kubeProxy.syncBurst).toBe(burst);
    expect(kubernetes.kubeProxy.loadBalancerIPMode).toBe(ipMode);
    expect(kubernetes.kubelet.crashBackoffPollNs).toBe(poll);
  },
);

test("single constants are overridden over the version's", async () => {
  const { kubernetes } = await profileOf('{ version: "1.28", kubeProxy: { syncBurst: 5 } }');
  expect(kubernetes.kubeProxy.syncBurst).toBe(5);
  expect(kubernetes.controllerManager.nodeLifecycle.graceNs).toBe(seconds(40));
});

test("the default is 1.36", () => {
  expect(defaultProfile.kubernetes).toBe(kubernetesVersions["1.36"]);
});

test("a version that there is not, and a mode that it has not, are mistakes", async () => {
  const unknown = await mistakesIn(files('{ version: "1.35" }'), { profile: defaultProfile });
  expect(JSON.stringify(unknown)).toContain("1.36");
  const mode = '{ version: "1.28", kubeProxy: { mode: "nftables" } }';
  const early = await mistakesIn(files(mode), { profile: defaultProfile });
  expect(JSON.stringify(early)).toContain("nftables came with 1.29");
});
