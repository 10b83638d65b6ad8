/** Rendered rules of the nodes of the conformance cases. */
import { ruleRenderers } from "../../src/inspect/rules/index.ts";
import type { Programmed, Ruleset } from "../../src/inspect/rules/contract.ts";
import { kubeProxyProfile } from "../../src/kubernetes/proxy/profile.ts";
import { nodeOf, type Mode, type Scenario, type Step } from "../conformance/cases.ts";

export function programmedOf(scenario: Scenario, step: Step, mode: Mode): Programmed {
  const node = nodeOf(scenario, step, mode);
  const size = { services: node.table.servicePorts, endpoints: 0 };
  return { ...node, size, profile: kubeProxyProfile, kernel: null };
}

export function renderedCase(scenario: Scenario, step: Step, mode: Mode): Ruleset {
  return ruleRenderers[mode].render(programmedOf(scenario, step, mode));
}

/** One Service with affinity and three endpoints. */
export function stickyStep(step: Step): Step {
  const service = {
    ...step.services[0]!,
    namespace: "ns",
    name: "sticky",
    clusterIP: "172.30.0.99",
    ports: [{ name: "http", protocol: "TCP" as const, port: 80, nodePort: null }],
    sessionAffinity: "ClientIP" as const,
    sessionAffinityTimeoutSeconds: 10_800,
  };
  const slice = {
    service: "ns/sticky",
    name: "sticky-1",
    addressType: "IPv4" as const,
    ports: [{ name: "http", protocol: "TCP" as const, port: 80 }],
    endpoints: ["10.180.0.1", "10.180.0.2", "10.180.0.3"].map((ip) => ({
      ip,
      nodeName: null,
      ready: true,
      serving: true,
      terminating: false,
      hints: null,
    })),
  };
  return { ...step, services: [service], endpointSlices: [slice], flows: [] };
}
