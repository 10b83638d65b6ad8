/**
 * The nodes behind a load balancer, as the balancer knows them.
 *
 * Owns: its list of targets, their health by its own checks, and which target a new flow gets. Refuses to
 * own: how a check travels (healthCheck.ts) and how a packet does (balancer.ts). Sources: timings §15.
 */
import type { AddressId } from "../../network/address.ts";
import type { LoadBalancerProfile } from "./profile.ts";

export interface Target {
  readonly node: string;
  readonly address: AddressId;
  /** Index of the host. */
  readonly host: number;
  readonly hash: number;
  healthy: boolean;
  /** Checks in a row that say the opposite of `healthy`. */
  streak: number;
  /** No longer in the list: its checks end. */
  removed: boolean;
}

export class Targets {
  readonly #profile: LoadBalancerProfile["healthCheck"];
  readonly #byNode = new Map<string, Target>();
  /** Those that new flows may get. */
  #eligible: readonly Target[] = [];

  constructor(profile: LoadBalancerProfile["healthCheck"]) {
    this.#profile = profile;
  }

  names(): string[] {
    return [...this.#byNode.keys()];
  }

  get(node: string): Target | undefined {
    return this.#byNode.get(node);
  }

  add(node: string, address: AddressId, host: number, healthy: boolean): Target {
    const target = {
      node,
      address,
      host,
      hash: hashText(node),
      healthy,
      streak: 0,
      removed: false,
    };
    this.#byNode.set(node, target);
    this.#choose();
    return target;
  }

  remove(node: string): void {
    const target = this.#byNode.get(node);
    if (target !== undefined) target.removed = true;
    this.#byNode.delete(node);
    this.#choose();
  }

  /**
   * A check has ended: so many in a row turn a target.
   * @returns whether this one did
   */
  checked(target: Target, passed: boolean): boolean {
    if (passed === target.healthy) {
      target.streak = 0;
      return false;
    }
    const { healthyThreshold, unhealthyThreshold } = this.#profile;
    if (++target.streak < (passed ? healthyThreshold : unhealthyThreshold)) return false;
    target.streak = 0;
    target.healthy = passed;
    this.#choose();
    return true;
  }

  /**
   * Rendezvous hashing: the target that the flow's hash and its own make the most of, so that a target that
   * comes or goes moves only its own share of the flows. null when there is no target at all.
   */
  pick(flow: number): Target | null {
    let best: Target | null = null;
    let most = -1;
    for (const target of this.#eligible) {
      const weight = mix(flow ^ target.hash);
      if (weight > most) {
        best = target;
        most = weight;
      }
    }
    return best;
  }

  /** With no healthy target all of them are tried: fail open. */
  #choose(): void {
    const all = [...this.#byNode.values()];
    const healthy = all.filter((target) => target.healthy);
    this.#eligible = healthy.length > 0 ? healthy : all;
  }
}

/** FNV-1a, 32 bits. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}

/** The finisher of MurmurHash3: every bit of the input moves every bit of the output. */
export function mix(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
