/**
 * Law 5, uniqueness, for Docker hosts: no two containers hold one port of a host.
 *
 * Owns: looking at what is published at the end of a run. 0.0.0.0 is every address.
 */
import { ANY_ADDRESS } from "../../../docker/contract.ts";
import type { BrokenLaw } from "../../../observe/report.ts";
import type { LawContext } from "./contract.ts";

interface Holder {
  readonly hostIP: string;
  readonly name: string;
}

export function* hostPorts({
  docker,
  nowNs,
}: Pick<LawContext, "docker" | "nowNs">): Generator<BrokenLaw> {
  const holders = new Map<string, Holder[]>();
  for (const { spec, isPublished } of docker?.containers.values() ?? []) {
    if (!isPublished) continue;
    for (const { protocol, hostIP, hostPort } of spec.publish) {
      const key = `${spec.host}:${hostPort}${protocol === "udp" ? "/udp" : ""}`;
      const others = holders.get(key) ?? [];
      const other = others.find(
        (each) => each.hostIP === hostIP || [each.hostIP, hostIP].includes(ANY_ADDRESS),
      );
      if (other !== undefined) {
        const detail = `holds port ${key}, which container/${other.name} holds as well`;
        yield { law: "5 uniqueness", entity: `container/${spec.name}`, atNs: nowNs, detail };
      }
      holders.set(key, [...others, { hostIP, name: spec.name }]);
    }
  }
}
