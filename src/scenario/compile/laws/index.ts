/**
 * The laws that are cheap enough to be checked in every run. docs/invariants.md numbers and states them.
 *
 * Owns: the list. Refuses to own: any check, and mending anything. Laws 6 (reach) and 7 (balance) need
 * traffic of their own: only test/laws checks them.
 */
import type { SimTimeNs } from "../../../engine/index.ts";
import type { Cluster } from "../../../kubernetes/cluster.ts";
import type { Observer } from "../../../observe/observations.ts";
import { objectKey } from "../../../kubernetes/api/types.ts";
import type { BrokenLaw } from "../../../observe/report.ts";
import type { ResolvedScenario } from "../../resolved.ts";
import { tracking } from "./conntrack.ts";
import { packetConservation, RequestLedger } from "./conservation.ts";
import type { LawContext } from "./contract.ts";
import { convergence } from "./convergence.ts";
import { deadEndpoints } from "./deadEndpoints.ts";
import { hostPorts } from "./hostPorts.ts";
import { LagStagesWatch } from "./lagStages.ts";
import { MembershipWatch } from "./membership.ts";
import { StabilityWatch } from "./stability.ts";
import { uniqueness } from "./uniqueness.ts";
import { WorkloadWatch } from "./workloads.ts";

/** Watches one run. */
export class LawWatch {
  readonly #requests = new RequestLedger();
  readonly #membership: MembershipWatch;
  readonly #stability = new StabilityWatch();
  readonly #lagStages = new LagStagesWatch();

  readonly #workloads = new WorkloadWatch();

  constructor({ cluster, profile }: ResolvedScenario) {
    const local = cluster.services.filter(
      ({ spec }) =>
        spec.internalTrafficPolicy === "Local" || spec.externalTrafficPolicy === "Local",
    );
    const { mode, ipvs } = profile.kubernetes.kubeProxy;
    const reuses = mode === "ipvs" && ipvs.connReuseMode === 0;
    this.#membership = new MembershipWatch(new Set(local.map(objectKey)), reuses);
  }

  get observers(): readonly Observer[] {
    return [this.#requests, this.#membership, this.#stability, this.#lagStages];
  }

  /** Begins to look at what is written. */
  attach(cluster: Cluster, clock: { readonly nowNs: SimTimeNs }): void {
    this.#workloads.attach(cluster, clock);
  }

  brokenLaws(context: LawContext): BrokenLaw[] {
    return [
      ...packetConservation(context),
      ...this.#requests.broken(context),
      ...this.#membership.broken(),
      ...convergence(context),
      ...deadEndpoints(context),
      ...this.#stability.broken(context),
      ...this.#lagStages.broken(),
      ...uniqueness(context),
      ...hostPorts(context),
      ...tracking(context),
      ...this.#workloads.broken(context),
    ];
  }
}
