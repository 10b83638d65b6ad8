/**
 * Which hosts a fault's names mean.
 *
 * Owns: looking names up among the nodes, their zones and the Docker hosts. A name that nothing bears is a
 * mistake, with what was probably meant.
 */
import type { HostGroup } from "../../faults/hosts.ts";
import { ZONE_LABEL, type Node } from "../../kubernetes/api/types.ts";
import { nearest, type FileMistakes } from "../mistakes.ts";
import type { FaultSurroundings } from "./contract.ts";

const ZONE_PREFIX = "zone/";
const OUTSIDE = "outside";

/**
 * @param nodes null when they could not be read: then nothing is missed
 * @param dockerHosts null likewise
 */
export function hostNames(
  nodes: readonly Node[] | null,
  dockerHosts: readonly string[] | null,
): FaultSurroundings["hosts"] {
  const nodeNames = nodes?.map(({ metadata }) => metadata.name) ?? [];
  const zoneOf = new Map(
    nodes?.map(({ metadata }) => [metadata.name, metadata.labels[ZONE_LABEL]]) ?? [],
  );
  const zones = [...new Set([...zoneOf.values()].filter((zone) => zone !== undefined))];
  const isWhole = nodes !== null && dockerHosts !== null;

  const namesOf = (reference: string, which: "nodes" | "tracked" | "any"): readonly string[] => {
    if (reference.startsWith(ZONE_PREFIX)) {
      const zone = reference.slice(ZONE_PREFIX.length);
      return nodeNames.filter((name) => zoneOf.get(name) === zone);
    }
    const known = which === "nodes" ? nodeNames : [...nodeNames, ...(dockerHosts ?? [])];
    return known.includes(reference) ? [reference] : [];
  };

  const miss = (reference: string, which: "nodes" | "tracked" | "any", to: FileMistakes): void => {
    const known = [
      ...nodeNames,
      ...(which === "nodes" ? [] : (dockerHosts ?? [])),
      ...zones.map((zone) => `${ZONE_PREFIX}${zone}`),
      ...(which === "any" ? [OUTSIDE] : []),
    ];
    const shown = known.length > 12 ? [...known.slice(0, 10), "...", ...known.slice(-1)] : known;
    const what = which === "nodes" ? "node" : "host";
    const allowed = `one of ${shown.join(", ") || `the scenario's ${what}s: there are none`}`;
    to.add([], `no ${what} ${reference}`, allowed, nearest(reference, known));
  };

  return (references, which, mistakes): HostGroup => {
    const names = new Set<string>();
    for (const reference of references) {
      if (which === "any" && reference === OUTSIDE) continue;
      const found = namesOf(reference, which);
      if (found.length === 0 && isWhole && mistakes !== undefined) miss(reference, which, mistakes);
      for (const name of found) names.add(name);
    }
    const outside = which === "any" && references.includes(OUTSIDE);
    return { names: [...names], outside, text: references.join("+") };
  };
}
