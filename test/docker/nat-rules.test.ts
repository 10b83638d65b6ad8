/** What the rules of chain DOCKER cost a first packet: those in front of the one that takes it, and that one. */
import { expect, test } from "vitest";
import { DockerNatRules } from "../../src/docker/natRules.ts";
import { dockerProfile } from "../../src/docker/profile.ts";
import { NO_ADDRESS } from "../../src/network/address.ts";
import { blankFirstPacket, emptyDecision, TransportProtocol } from "../../src/network/nat.ts";
import { wire } from "../helpers/wire.ts";

// Broken on purpose: rules that cost nothing; all of them walked whichever takes the packet.
test("a packet pays for each rule up to its own, for all where none is its own, and for none of them elsewhere", () => {
  const { network } = wire();
  const host = network.hosts[0]!;
  const { nsPerRule } = dockerProfile;
  const rules = new DockerNatRules({ network, host, userlandProxy: true, nsPerRule });
  const container = network.addresses.intern("172.17.0.2");
  for (const hostPort of [8080, 8081, 8082]) {
    rules.append({
      protocol: TransportProtocol.TCP,
      hostAddress: NO_ADDRESS,
      hostPort,
      containerAddress: container,
      containerPort: 80,
    });
  }
  const walk = (destinationPort: number, destinationIsLocal = true): number => {
    const decision = emptyDecision();
    const source = network.addresses.intern("203.0.113.5");
    const destination = network.addresses.intern("192.168.0.11");
    const packet = {
      ...blankFirstPacket(),
      source,
      destination,
      destinationPort,
      destinationIsLocal,
    };
    rules.decide("PREROUTING", packet, decision);
    return decision.walkNs;
  };
  expect(nsPerRule).toBe(16.7);
  expect([8080, 8081, 8082, 9999].map((port) => walk(port))).toEqual([17, 33, 50, 50]);
  expect(walk(8080, false)).toBe(0);
});
