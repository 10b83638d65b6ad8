/**
 * Host ports of a pod's containers, as the runtime hands them to the CNI plugins (portMappings).
 *
 * Owns: which ports of a spec they are. Refuses to own: what becomes of a packet to them (network/portmap.ts), and
 * that no two pods of a node ask for one (the scheduler).
 */
import { TransportProtocol } from "../../network/nat.ts";
import type { PortMapping } from "../../network/portmap.ts";
import type { Pod } from "../api/types.ts";

const NONE: readonly PortMapping[] = [];

export function portMappings({ spec }: Pod): readonly PortMapping[] {
  const { initContainers = [], containers } = spec;
  const has = (each: { ports: readonly { hostPort: number | null }[] }): boolean =>
    each.ports.some(({ hostPort }) => hostPort !== null);
  if (!containers.some(has) && !initContainers.some(has)) return NONE;
  return [...initContainers, ...containers].flatMap(({ ports }) =>
    ports.flatMap(({ hostPort, hostIP = null, containerPort, protocol }) => {
      if (hostPort === null) return [];
      // 0.0.0.0 and ::: any address.
      const isAny = hostIP === null || hostIP === "0.0.0.0" || hostIP === "::";
      const at = { protocol: TransportProtocol[protocol], hostPort, guestPort: containerPort };
      return [{ ...at, hostIP: isAny ? null : hostIP }];
    }),
  );
}
