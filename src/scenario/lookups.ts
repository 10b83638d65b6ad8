/**
 * Names that clients only look up: which of them can be of this cluster alone, and which were probably
 * meant otherwise.
 *
 * Owns: that judgement, and what is said of a name that nothing in the cluster has. Refuses to own: what
 * DNS answers (workload/dns).
 */
import type { Service } from "../kubernetes/api/types.ts";
import { OWN_NAMESPACES, podAddress } from "../kubernetes/dns/records.ts";
import { namesToAsk } from "../workload/dns/resolver.ts";
import { nearest, type FileMistakes } from "./mistakes.ts";
import type { Ignore } from "./faultsOf.ts";
import type { ResolvedClient } from "./resolved.ts";

/** Names of Services, and whether a name that none of them has can still be one outside. */
export class LookupNames {
  readonly #zone: string;
  readonly #absolute: ReadonlySet<string>;
  readonly #namespaces: ReadonlySet<string>;
  /** As people write them. */
  readonly #written: readonly string[];

  constructor(services: readonly Service[], zone: string) {
    const short = services.map(({ metadata }) => `${metadata.name}.${metadata.namespace}`);
    this.#zone = zone;
    this.#absolute = new Set(short.map((name) => `${name}.svc.${zone}`));
    this.#namespaces = new Set([
      ...OWN_NAMESPACES,
      ...services.map(({ metadata }) => metadata.namespace),
    ]);
    this.#written = short.flatMap((name) => [
      name.replace(/\.default$/, ""),
      name,
      `${name}.svc`,
      `${name}.svc.${zone}`,
    ]);
  }

  /** A Service, one of its ports or pods, an address of the cluster, or a pod by its address. */
  isOwn(resolver: NonNullable<ResolvedClient["resolver"]>): boolean {
    if (resolver.type === "PTR") return true;
    return namesToAsk(resolver).some((name) => this.#isNamed(name));
  }

  #isNamed(name: string): boolean {
    if (this.#absolute.has(name)) return true;
    const [first = "", second = "", ...rest] = name.split(".");
    const [kind, ...zone] = rest;
    if (kind === "pod" && zone.join(".") === this.#zone) {
      return podAddress(first) !== null && this.#namespaces.has(second);
    }
    if (first.startsWith("_") && second.startsWith("_")) return this.#absolute.has(rest.join("."));
    return this.#absolute.has([second, ...rest].join("."));
  }

  /**
   * Nobody outside has a name without a dot, one under the cluster's domain, or one that ends in "svc", "pod" or in
   * a namespace of the cluster, as if that were a top-level domain.
   */
  isOfCluster(name: string): boolean {
    const plain = name.replace(/\.$/, "");
    if (!plain.includes(".") || plain.endsWith(`.${this.#zone}`)) return true;
    const last = plain.slice(plain.lastIndexOf(".") + 1);
    return last === "svc" || last === "pod" || this.#namespaces.has(last);
  }

  /** @returns what to say of a lookup, or null where it is for a Service, or for a name like no Service's */
  remark({ to, resolver }: ResolvedClient): string | null {
    if (to.via !== "lookup" || resolver === undefined || this.isOwn(resolver)) return null;
    const meant = nearest(resolver.name.replace(/\.$/, ""), this.#written);
    const ofCluster = this.isOfCluster(resolver.name);
    if (!ofCluster && meant === null) return null;
    const fate = ofCluster ? "it does not exist (NXDOMAIN)" : "it is taken for a name outside";
    const question = meant === null ? "" : `; did you mean ${meant}?`;
    return `no Service has the name ${resolver.name}: ${fate}${question}`;
  }
}

/** Tells of every client that looks up what nobody has. */
export function remarkLookups(
  services: readonly Service[],
  clients: readonly ResolvedClient[],
  zone: string | null,
  ignore: Ignore,
  mistakes: FileMistakes,
): void {
  if (zone === null) return;
  const names = new LookupNames(services, zone);
  for (const [index, client] of clients.entries()) {
    const remark = names.remark(client);
    if (remark !== null)
      ignore(`client ${client.name}`, mistakes, ["clients", index, "to"], remark);
  }
}
