/** The kinds of network there are, by the name that scenarios call them: one line each. */
import { bridgeHostGw } from "./bridge.ts";
import type { NetworkKind } from "./contract.ts";

export const networkKinds = {
  "bridge-host-gw": bridgeHostGw,
} satisfies Readonly<Record<string, NetworkKind>>;

export type NetworkKindName = keyof typeof networkKinds;

export const networkKindNames = Object.keys(networkKinds) as readonly NetworkKindName[];
