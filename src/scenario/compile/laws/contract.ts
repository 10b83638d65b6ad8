/**
 * What the checks at the end of a run may look at.
 *
 * Owns: the contract of the members of this folder; index.ts lists them. docs/invariants.md states the laws.
 */
import type { SimTimeNs } from "../../../engine/index.ts";
import type { Docker } from "../../../docker/docker.ts";
import type { Cluster } from "../../../kubernetes/cluster.ts";
import type { Network } from "../../../network/network.ts";
import type { Transport } from "../../../network/transport.ts";
import type { Programs } from "../../../workload/program.ts";
import type { ResolvedScenario } from "../../resolved.ts";

export interface LawContext {
  readonly scenario: ResolvedScenario;
  readonly network: Network;
  readonly transport: Transport;
  readonly programs: Programs;
  readonly cluster: Cluster;
  /** null: no Docker host. */
  readonly docker: Docker | null;
  readonly nowNs: SimTimeNs;
}
