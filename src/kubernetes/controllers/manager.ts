/**
 * kube-controller-manager: the controllers that run in its leader.
 *
 * Owns: beginning them anew, with what they then list, in each process that leads. Refuses to own: what a controller
 * does, and who leads (election/).
 */
import type { Simulation } from "../../engine/index.ts";
import { whileAlive } from "../api/processClient.ts";
import type { SimulatedApiServer } from "../api/server.ts";
import { LeaderElection } from "../election/leaderElection.ts";
import { tellingOf } from "./acts.ts";
import {
  SharedInformers,
  type ActListener,
  type Controller,
  type ControllerContext,
} from "./contract.ts";
import { createControllers } from "./index.ts";
import type { ControllerManagerProfile } from "./profile.ts";

const USER = "system:kube-controller-manager";

/** The controllers of one process, for as long as it leads. */
interface Reign {
  readonly controllers: readonly Controller[];
  readonly informers: SharedInformers;
  isOver: boolean;
}

export class ControllerManager {
  readonly #sim: Simulation;
  readonly #api: SimulatedApiServer;
  readonly #profile: ControllerManagerProfile;
  readonly #election: LeaderElection;
  #reign: Reign | null = null;
  /** The metrics API, if there is one. Set before the start. */
  metrics: Pick<ControllerContext, "podMetrics"> = {};
  /** Who is told of what controllers do. Set before the start. */
  acts: ActListener | null = null;
  readonly #epochSeconds: number;

  /** @param epochSeconds seconds since 1970 at time 0 */
  constructor(
    sim: Simulation,
    api: SimulatedApiServer,
    profile: ControllerManagerProfile,
    epochSeconds = 0,
  ) {
    this.#epochSeconds = epochSeconds;
    this.#sim = sim;
    this.#api = api;
    this.#profile = profile;
    const { clientQps: qps, clientBurst: burst } = profile;
    this.#election = new LeaderElection(sim, api, profile.leaderElection, {
      component: "kube-controller-manager",
      user: USER,
      qps,
      burst,
      lead: (connection, synced) => this.#lead(connection, synced),
      end: () => this.#end(),
    });
  }

  /** @param synced what exists already is in order */
  start(synced: boolean): void {
    this.#election.start(synced);
  }

  /** A leader is there, and its controllers have nothing left to do. */
  get isIdle(): boolean {
    return this.#reign !== null && this.#reign.controllers.every(({ isIdle }) => isIdle);
  }

  /** The replica that leads; null while none does. */
  get leader(): number | null {
    return this.#election.leader;
  }

  /** The leading process dies. */
  loseLeader(): void {
    this.#election.loseLeader();
  }

  #lead(connection: string, synced: boolean): void {
    const informers = new SharedInformers(this.#api, connection);
    const controllers = createControllers(this.#profile);
    const reign: Reign = { controllers, informers, isOver: false };
    this.#reign = reign;
    const { clientQps: qps, clientBurst: burst } = this.#profile;
    for (const controller of controllers) {
      const options = { name: controller.name, qps, burst, user: USER, connection };
      const own = whileAlive(this.#api.client(options), reign);
      const { acts } = this;
      const told = acts === null ? { client: own } : { client: tellingOf(own, acts), acts };
      const context = { sim: this.#sim, profile: this.#profile, informers, ...told };
      const epochSeconds = this.#epochSeconds;
      controller.start({ ...context, epochSeconds, ...this.metrics }, synced);
    }
    informers.synced();
  }

  /** The process is no more: its watches end, and no answer finds anybody. */
  #end(): void {
    if (this.#reign === null) return;
    this.#reign.isOver = true;
    this.#reign.informers.stop();
    this.#reign = null;
  }
}
