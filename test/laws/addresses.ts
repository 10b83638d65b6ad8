/** The addresses that a namespace holds for others to reach: loopback is in every namespace. */
import type { Namespace } from "../../src/network/host.ts";
import type { Network } from "../../src/network/network.ts";

export function reachableAddresses({ addresses }: Network, namespace: Namespace): string[] {
  return [...namespace.addresses]
    .map((id) => addresses.text(id))
    .filter((text) => !text.startsWith("127."));
}
