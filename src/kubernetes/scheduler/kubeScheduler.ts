/**
 * kube-scheduler: the scheduler that runs in its leader.
 *
 * Owns: beginning it anew, with the nodes and pods that it then lists, in each process that leads. Refuses to own:
 * how it schedules (scheduler.ts), and who leads (election/).
 */
import type { Simulation } from "../../engine/index.ts";
import type { SimulatedApiServer } from "../api/server.ts";
import { LeaderElection } from "../election/leaderElection.ts";
import type { SchedulerProfile } from "./profile.ts";
import { Scheduler, USER } from "./scheduler.ts";

export class KubeScheduler {
  readonly #election: LeaderElection;
  #scheduler: Scheduler | null = null;

  constructor(sim: Simulation, api: SimulatedApiServer, profile: SchedulerProfile) {
    const { clientQps: qps, clientBurst: burst } = profile;
    this.#election = new LeaderElection(sim, api, profile.leaderElection, {
      component: "kube-scheduler",
      user: USER,
      qps,
      burst,
      lead: (connection) => {
        this.#scheduler = new Scheduler(sim, api, profile, connection);
      },
      end: () => {
        this.#scheduler?.stop();
        this.#scheduler = null;
      },
    });
  }

  start(synced: boolean): void {
    this.#election.start(synced);
  }

  /** The replica that leads; null while none does. */
  get leader(): number | null {
    return this.#election.leader;
  }

  /** The leading process dies. */
  loseLeader(): void {
    this.#election.loseLeader();
  }
}
