/**
 * Who listens on a port: by protocol and address. And by which address a host speaks where it has several.
 *
 * Seen to fail: with listeners looked up by their port alone, with 0.0.0.0 and an address side by side allowed, with
 * a closed listener that keeps its port, and with loopback taken for the address of a device.
 */
import { expect, test } from "vitest";
import { NO_ADDRESS, type AddressId } from "../../src/network/address.ts";
import { TransportProtocol } from "../../src/network/nat.ts";
import type { ListenerHandler, Socket } from "../../src/network/socket.ts";
import { wire } from "../helpers/wire.ts";

const { TCP, SCTP } = TransportProtocol;

const handler = (accepted: (socket: Socket) => void = () => {}): ListenerHandler => ({
  accepted,
  connected() {},
  failed() {},
  message() {},
  peerClosed() {},
});

test("one port is as many as there are protocols and addresses; 0.0.0.0 is all of these", () => {
  const { network, transport } = wire();
  const node = network.hosts[0]!.namespace;
  const own = [...node.addresses][0]!;
  const other = network.addresses.intern("192.0.2.1");
  node.addresses.add(other);
  const at = (protocol: 6 | 132, address: AddressId = NO_ADDRESS) =>
    transport.listen(node, 80, handler(), protocol, address);
  const first = at(TCP, own);
  expect(first).not.toBeNull();
  expect(at(TCP, other)).not.toBeNull();
  expect([at(TCP, own), at(TCP)]).toEqual([null, null]);
  expect(at(SCTP)).not.toBeNull();
  expect(at(SCTP, own)).toBeNull();
  transport.closeListener(first!);
  expect(at(TCP, own)).not.toBeNull();
});

test("a SYN comes to the listener of its protocol and address", () => {
  const { network, transport, sim, outside } = wire();
  const node = network.hosts[0]!.namespace;
  const own = [...node.addresses][0]!;
  const other = network.addresses.intern("192.168.0.99");
  node.addresses.add(other);
  const heard: string[] = [];
  const listen = (name: string, protocol: 6 | 132, address: AddressId): void => {
    transport.listen(
      node,
      80,
      handler(() => void heard.push(name)),
      protocol,
      address,
    );
  };
  listen("tcp other", TCP, other);
  listen("sctp", SCTP, NO_ADDRESS);
  listen("tcp own", TCP, own);
  const laptop = network.hosts[outside]!.namespace;
  const failed: string[] = [];
  const client = {
    ...handler(),
    connected: (socket: Socket) => transport.send(socket, 10, 0, 0, false),
    failed: (_socket: unknown, error: string) => void failed.push(error),
  };
  const dial = (address: AddressId, protocol: 6 | 132, port = 80): void => {
    transport.connect(laptop, address, port, client, 0, protocol);
    sim.run(sim.nowNs + 100_000_000);
  };
  dial(own, TCP);
  dial(own, SCTP);
  dial(own, TCP, 81);
  expect(heard).toEqual(["tcp own", "sctp"]);
  expect(failed).toEqual(["ECONNREFUSED"]);
});

test("loopback is no device's address: nothing that leaves is masqueraded with it", () => {
  const { network } = wire();
  const loopback = network.useLoopback();
  const [node] = network.hosts;
  // As it stands in a namespace that had loopback first.
  const { addresses } = node!.namespace;
  const own = [...addresses].filter((address) => address !== loopback);
  addresses.clear();
  for (const address of [loopback, ...own]) addresses.add(address);
  const away = network.addresses.intern("203.0.113.5");
  expect(network.addresses.text(node!.deviceAddress(away))).toBe("192.168.0.11");
  const guest = network.addresses.intern("10.244.1.77");
  expect(network.addresses.text(node!.deviceAddress(guest))).toBe("10.244.1.1");
  // What is for the host itself leaves by no device.
  expect(node!.deviceAddress(loopback)).toBe(NO_ADDRESS);
});
