/**
 * The machine's own iptables and nft take what `sim rules` prints, and print it again as it is.
 *
 * Seen to fail: with the destination in front of the source, with a chain that is jumped to and not made, and
 * with comments without quotes.
 */
import { afterEach, describe, expect, it } from "vitest";
import { packetFlows } from "../conformance/cases.ts";
import { renderedCase } from "../inspect/programmed.ts";
import { Namespaces, whyNot } from "./namespaces.ts";
import { asKubeProxyWrote, textOf } from "./saved.ts";

const reason = whyNot();
if (reason !== null) console.warn(`test/kernel is skipped: ${reason}`);

const namespaces = new Namespaces();
afterEach(() => namespaces.delete());

const cases = packetFlows.flatMap((scenario) =>
  scenario.proxyMode.flatMap((mode) =>
    scenario.steps.map((step, i) => ({ mode, scenario, step, name: `${scenario.id} ${i + 1}` })),
  ),
);

describe.skipIf(reason !== null)("a fresh namespace", () => {
  it.each(cases.filter(({ mode }) => mode === "iptables"))(
    "takes the iptables rules of $name",
    ({ scenario, step }) => {
      const v6 = scenario.node.ipFamily === "IPv6" ? "6" : "";
      const text = textOf(renderedCase(scenario, step, "iptables").lines);
      const node = namespaces.add("node");
      namespaces.run(node, [`ip${v6}tables-restore`, "--test"], text);
      namespaces.run(node, [`ip${v6}tables-restore`], text);
      const saved = namespaces.run(node, [`ip${v6}tables-save`]);
      expect(asKubeProxyWrote(saved)).toEqual(text.split("\n"));
    },
  );

  it.each(cases.filter(({ mode }) => mode === "nftables"))(
    "takes the nftables rules of $name",
    ({ scenario, step }) => {
      const text = textOf(renderedCase(scenario, step, "nftables").lines);
      const node = namespaces.add("node");
      namespaces.run(node, ["nft", "--check", "-f", "-"], text);
      namespaces.run(node, ["nft", "-f", "-"], text);
      expect(inOneOrder(namespaces.run(node, ["nft", "list", "ruleset"]))).toEqual(
        inOneOrder(text),
      );
    },
  );
});

/** Elements in the order of their text: each version of nft has its own. */
function inOneOrder(listed: string): string[] {
  return listed
    .replaceAll(/elements = \{ ([^}]*) \}/g, (_, elements: string) => {
      return `elements = { ${elements.split(/,\s+/).toSorted().join(", ")} }`;
    })
    .split("\n");
}
