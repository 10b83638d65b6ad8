/**
 * `--pcap HOST:INTERFACE=FILE`: what a capture on an interface would hold.
 *
 * Owns: which interfaces there are, by their names. An interface is a pair of hops, one each way.
 */
import type { Host, Namespace } from "../../network/host.ts";
import type { Hop } from "../../network/hop.ts";
import type { Network } from "../../network/network.ts";
import type { Run } from "../../scenario/compile.ts";
import { nearest, optionMistake, UserError, type Mistake } from "../../scenario/mistakes.ts";
import type { Instrument } from "../contract.ts";
import { CaptureTap, type Side } from "./capture.ts";
import { PcapFile } from "./file.ts";

export interface CaptureRequest {
  /** A node, another host, or "pod/NAME". */
  readonly place: string;
  readonly device: string;
  readonly path: string;
}

export const PCAP_ALLOWED =
  '"NODE:eth0=FILE", "NODE:cni0=FILE", "pod/NAME:eth0=FILE" or "NODE:lo=FILE"';

/** @param text as typed; null after a mistake */
export function captureRequest(text: string, mistakes: Mistake[]): CaptureRequest | null {
  const [, place, device, path] =
    /^(?:node\/|outside\/)?((?:pod\/)?[\w.-]+):([\w.-]+)=(.+)$/.exec(text) ?? [];
  if (place !== undefined && device !== undefined && path !== undefined)
    return { place, device, path };
  mistakes.push(optionMistake("--pcap", JSON.stringify(text.slice(0, 80)), PCAP_ALLOWED));
  return null;
}

export function captures(requests: readonly CaptureRequest[]): Instrument {
  const files = new Map(requests.map(({ path }) => [path, new PcapFile()]));
  return {
    paths: requests.map(({ path }) => path),
    observers: [],
    attach(run: Run): void {
      const mistakes: Mistake[] = [];
      const sides = requests.flatMap((request) =>
        sidesOf(request, run.stack.network, files.get(request.path)!, mistakes),
      );
      if (mistakes.length > 0) throw new UserError(mistakes);
      run.stack.tap = new CaptureTap(run.transport, sides);
    },
    content: (path) => files.get(path)!.chunks(),
  };
}

/** The hops of an interface; none after a mistake. */
function sidesOf(
  { place, device }: CaptureRequest,
  network: Network,
  file: PcapFile,
  mistakes: Mistake[],
): Side[] {
  const namespace = network.namespaces.find(
    ({ name, kind }) => place === (kind === "guest" ? `pod/${name}` : name),
  );
  if (namespace === undefined) {
    const names = network.namespaces.map(({ name, kind }) =>
      kind === "guest" ? `pod/${name}` : name,
    );
    const found = `${place}: there is no such host, nor such a pod when the run begins`;
    mistakes.push(optionMistake("--pcap", found, PCAP_ALLOWED, nearest(place, names)));
    return [];
  }
  const host = network.hosts[namespace.host]!;
  const devices = devicesOf(namespace, host);
  const sides = devices.get(device);
  if (sides === undefined) {
    const allowed = [...devices.keys()].join(", ");
    mistakes.push(optionMistake("--pcap", `${place} has no interface ${device}`, allowed));
    return [];
  }
  return sides.map((side) => ({ ...side, file }));
}

function devicesOf(namespace: Namespace, host: Host): Map<string, Omit<Side, "file">[]> {
  const out = (hop: Hop): Omit<Side, "file"> => ({ hop, direction: "out", addedNs: 0 });
  const devices = new Map([["lo", [out(namespace.loopback)]]]);
  const { link } = namespace;
  const { nic, switchPort, bridge } = host;
  if (link !== null) {
    // The way into a guest is told without the bridge that was crossed just before.
    const addedNs = bridge?.latencyNs ?? 0;
    devices.set("eth0", [out(link.out), { hop: link.in, direction: "in", addedNs }]);
    return devices;
  }
  devices.set("eth0", [out(nic), { hop: switchPort, direction: "in", addedNs: 0 }]);
  if (bridge !== null) devices.set(bridge.name.slice(bridge.name.indexOf("/") + 1), [out(bridge)]);
  return devices;
}
