/**
 * Law 3, convergence: when nothing is under way any more, every node's rules are what the pods ask for.
 *
 * Owns: the endpoints of a Service as computed from its pods, not from any slice, and their comparison
 * with each node's rules. While something is under way there is nothing to compare.
 */
import {
  matchesLabels,
  objectKey,
  type Pod,
  type Service,
  type ServicePort,
} from "../../../kubernetes/api/types.ts";
import { TransportProtocol } from "../../../network/nat.ts";
import type { BrokenLaw } from "../../../observe/report.ts";
import type { LawContext } from "./contract.ts";

/** Nodes times Services that are compared at most; beyond it every second node, third node, ... is. */
const PAIRS_MAX = 1_000_000;

export function* convergence({ cluster, network, nowNs }: LawContext): Generator<BrokenLaw> {
  if (!cluster.isQuiet) return;
  const pods = [...cluster.api.list("Pod")].filter(hasEndpoint);
  const services = [...cluster.api.list("Service")];
  const step = Math.max(1, Math.ceil((services.length * cluster.proxies.length) / PAIRS_MAX));
  for (const service of services) {
    if (service.spec.selector === null || service.spec.clusterIP === "None") continue;
    const own = pods.filter(
      ({ metadata }) =>
        metadata.namespace === service.metadata.namespace &&
        matchesLabels(service.spec.selector!, metadata.labels),
    );
    for (const port of service.spec.ports) {
      const wanted = wantedEndpoints(service, port, own);
      const address = network.addresses.intern(service.spec.clusterIP);
      /** Nodes share versions of rules: one comparison for all that hold the same. */
      const compared = new Map<unknown, string>();
      for (let node = 0; node < cluster.proxies.length; node += step) {
        const { table } = cluster.proxies[node]!;
        const rules = table.atAddress(address, TransportProtocol[port.protocol], port.port)?.rules;
        let held = compared.get(rules);
        if (held === undefined) {
          held = (rules?.cluster ?? []).map(({ text }) => text).join(" ");
          compared.set(rules, held);
        }
        if (held === wanted) continue;
        yield {
          law: "3 convergence",
          entity: `node/${network.hosts[node]!.name}`,
          atNs: nowNs,
          detail: `${objectKey(service)}:${port.port} has [${wanted}], the node has programmed [${held}]`,
        };
      }
    }
  }
}

function hasEndpoint({ spec, status }: Pod): boolean {
  const isOver = status.phase === "Succeeded" || status.phase === "Failed";
  return status.podIPs.length > 0 && spec.nodeName !== null && !isOver;
}

/** The ready ones; if there are none, those that terminate and still serve. In the order of their text. */
function wantedEndpoints({ spec }: Service, port: ServicePort, pods: readonly Pod[]): string {
  const ends = ({ metadata }: Pod): boolean => metadata.deletionTimestampNs !== null;
  const isReady = (pod: Pod): boolean =>
    spec.publishNotReadyAddresses || (pod.status.ready.status && !ends(pod));
  const ready = pods.filter(isReady);
  const chosen =
    ready.length > 0 ? ready : pods.filter((pod) => ends(pod) && pod.status.ready.status);
  const texts = chosen.flatMap((pod) => {
    const number = targetPortOf(port, pod);
    return number === null ? [] : [`${pod.status.podIPs[0]}:${number}`];
  });
  return [...new Set(texts)].sort().join(" ");
}

function targetPortOf({ targetPort }: ServicePort, { spec }: Pod): number | null {
  if (typeof targetPort === "number") return targetPort;
  const ports = spec.containers.flatMap((container) => container.ports);
  return ports.find(({ name }) => name === targetPort)?.containerPort ?? null;
}
