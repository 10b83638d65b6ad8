/** Rendered rules of the nodes of the conformance cases. */
import { ruleRenderers } from "../../src/inspect/rules/index.ts";
import type { Programmed, Ruleset } from "../../src/inspect/rules/contract.ts";
import { kubeProxyProfile } from "../../src/kubernetes/proxy/profile.ts";
import { nodeOf, type Mode, type Scenario, type Step } from "../conformance/cases.ts";

export function programmedOf(scenario: Scenario, step: Step, mode: Mode): Programmed {
  const node = nodeOf(scenario, step, mode);
  const size = { services: node.table.servicePorts, endpoints: 0 };
  return { ...node, size, profile: kubeProxyProfile };
}

export function renderedCase(scenario: Scenario, step: Step, mode: Mode): Ruleset {
  return ruleRenderers[mode]!.render(programmedOf(scenario, step, mode));
}
