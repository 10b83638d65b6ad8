/** The kinds of network there are: one line each. */
import { bridgeHostGw } from "./bridge.ts";
import type { NetworkKind } from "./contract.ts";

export const networkKinds: readonly NetworkKind[] = [bridgeHostGw];
