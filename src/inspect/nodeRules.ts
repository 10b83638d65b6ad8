/**
 * What a node has programmed, as its own tools would show it.
 *
 * Owns: finding the node, and the line that says what is shown.
 */
import type { Run } from "../scenario/compile.ts";
import { nearest, optionMistake, UserError } from "../scenario/index.ts";
import type { ResolvedScenario } from "../scenario/resolved.ts";
import { formatDuration } from "../scenario/units.ts";
import { proxyMode, rulesOn } from "./node.ts";
import { ruleRenderers } from "./rules/index.ts";

/**
 * @returns lines that the tool can be given back: the first one is a comment
 * @throws UserError for a node that is not there
 */
export function nodeRules(
  run: Pick<Run, "cluster" | "transport" | "nowNs">,
  scenario: ResolvedScenario,
  node: string,
  family: 4 | 6,
): readonly string[] {
  const names = scenario.cluster.nodes.map(({ metadata }) => metadata.name);
  const index = names.indexOf(node);
  if (index < 0) {
    const allowed = names.length === 0 ? "there are none" : `one of ${names.join(", ")}`;
    const found = `no node ${JSON.stringify(node.slice(0, 80))}`;
    throw new UserError([optionMistake("--node", found, allowed, nearest(node, names))]);
  }
  const mode = proxyMode(scenario);
  const at = formatDuration(run.nowNs);
  const rules = rulesOn(run, scenario, index, family);
  const tool = ruleRenderers[mode].tool[family];
  return [`# ${node} at ${at}, kube-proxy in ${mode} mode, IPv${family}: ${tool}`, ...rules.lines];
}
