/**
 * Which of a Docker daemon's nat rules a first packet matched, as iptables-save prints them.
 *
 * Owns: their text. Refuses to own: what becomes of the packet: docker/natRules.ts has decided it, and names the source.
 */
import type { DockerNatRules } from "../../docker/natRules.ts";
import type { AddressTable } from "../../network/address.ts";
import { NO_ADDRESS } from "../../network/address.ts";
import type { NatHookPoint } from "../../network/nat.ts";
import type { ResolvedDocker } from "../../scenario/resolved.ts";
import { hostPrefix, protocolName } from "../rules/names.ts";
import type { TraceRule } from "./record.ts";
import type { PacketView } from "./recorder.ts";

interface Daemon extends Pick<ResolvedDocker, "bridgeCIDR" | "userlandProxy"> {
  readonly nat: DockerNatRules;
  readonly addresses: AddressTable;
}

export function dockerRules(
  daemon: Daemon,
  point: NatHookPoint,
  before: PacketView,
  after: PacketView,
): readonly TraceRule[] {
  const at = (hook: string, chain: string, text: string): TraceRule => {
    return { hook, table: "nat", chain, text };
  };
  const dnat = dnatText(daemon, before, after);
  const lead = point === "OUTPUT" && daemon.userlandProxy ? "! -d 127.0.0.0/8 " : "";
  return [
    ...(dnat === null
      ? []
      : [
          at(point, point, `${lead}-m addrtype --dst-type LOCAL -j DOCKER`),
          at(point, "DOCKER", dnat),
        ]),
    ...(before.source === after.source
      ? []
      : [at("POSTROUTING", "POSTROUTING", masqueradeText(daemon, before, after))]),
  ];
}

/** null: it is not translated. */
function dnatText(
  { nat, addresses, userlandProxy }: Daemon,
  { protocol, destination, destinationPort }: PacketView,
  after: PacketView,
): string | null {
  if (destination === after.destination && destinationPort === after.destinationPort) return null;
  const rule = nat.chain.find(
    ({ protocol: of, hostAddress, hostPort }) =>
      of === protocol &&
      hostPort === destinationPort &&
      (hostAddress === NO_ADDRESS || hostAddress === destination),
  )!;
  const only = rule.hostAddress === NO_ADDRESS ? "" : `-d ${hostPrefix(addresses, destination)} `;
  const outside = userlandProxy ? "! -i docker0 " : "";
  const name = protocolName(protocol);
  const to = `${addresses.text(rule.containerAddress)}:${rule.containerPort}`;
  return `${only}${outside}-p ${name} -m ${name} --dport ${rule.hostPort} -j DNAT --to-destination ${to}`;
}

/** What leaves the bridge; a container that has been sent to itself; the host's own loopback, sent to a container. */
function masqueradeText(
  { addresses, bridgeCIDR }: Daemon,
  { source, destination, protocol }: PacketView,
  after: PacketView,
): string {
  if (destination === after.destination) return `-s ${bridgeCIDR} ! -o docker0 -j MASQUERADE`;
  if (source !== after.destination) return "-o docker0 -m addrtype --src-type LOCAL -j MASQUERADE";
  const [own, name] = [hostPrefix(addresses, source), protocolName(protocol)];
  return `-s ${own} -d ${own} -p ${name} -m ${name} --dport ${after.destinationPort} -j MASQUERADE`;
}
