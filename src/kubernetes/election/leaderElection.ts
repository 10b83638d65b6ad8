/**
 * Leader election: which replica of a component leads.
 *
 * Owns: the leader's Lease, its renewal, giving up, and taking over by another replica. Refuses to own: what a leader
 * does, who is told to begin and to end. Source: client-go tools/leaderelection/leaderelection.go; timings §3.
 *
 * A renewal of a leader that nothing disturbs always succeeds and changes nothing else, and so does the look of
 * a replica that waits: they are simulated from the first disturbance of the API server, or of the leader, on.
 */
import { Phase, type RandomStream, type SimTimeNs, type Simulation } from "../../engine/index.ts";
import type { ApiClient } from "../api/contract.ts";
import type { SimulatedApiServer } from "../api/server.ts";
import type { Lease } from "../api/types.ts";
import { newMeta } from "../controllers/pods.ts";
import type { LeaderElectionProfile } from "./profile.ts";

const NAMESPACE = "kube-system";

export interface Candidates {
  /** "kube-scheduler": the name of its Lease, and of the first replica's connection. */
  readonly component: string;
  readonly user: string;
  readonly qps: number;
  readonly burst: number;
  /** This replica leads from now on; its connection to the API server has this name. */
  readonly lead: (connection: string, synced: boolean) => void;
  /** The process that leads is no more. */
  readonly end: () => void;
}

/** What a replica that waits has seen of the Lease, by its own clock. */
interface Observation {
  renewTimeNs: SimTimeNs;
  sinceNs: SimTimeNs;
}

/** The time for which one replica leads. */
interface Reign {
  readonly replica: number;
  isOver: boolean;
}

export class LeaderElection {
  readonly #sim: Simulation;
  readonly #api: SimulatedApiServer;
  readonly #profile: LeaderElectionProfile;
  readonly #candidates: Candidates;
  readonly #leaseKey: string;
  #reign: Reign | null = null;
  /** One for each replica, made when it is needed. */
  readonly #clients = new Map<number, ApiClient>();
  #isRenewing = false;

  constructor(
    sim: Simulation,
    api: SimulatedApiServer,
    profile: LeaderElectionProfile,
    candidates: Candidates,
  ) {
    this.#sim = sim;
    this.#api = api;
    this.#profile = profile;
    this.#candidates = candidates;
    this.#leaseKey = `${NAMESPACE}/${candidates.component}`;
    api.preload("Lease", this.#firstLease());
    api.onDisturbance(() => this.#renewFromNowOn());
  }

  /** The first replica leads. @param synced what exists already is in order */
  start(synced: boolean): void {
    this.#lead(0, synced);
  }

  /** The replica that leads; null while none does. */
  get leader(): number | null {
    return this.#reign?.replica ?? null;
  }

  /** The leading process dies. Nobody knows: the others wait until its Lease has run out. */
  loseLeader(): void {
    const reign = this.#reign;
    if (reign === null) return;
    const isRenewing = this.#isRenewing;
    this.#end(reign);
    if (isRenewing) {
      this.#campaign(reign.replica);
      return;
    }
    const renewedNs = this.#lastRenewalNs();
    const noted = (stored: Lease): Lease => this.#renewed(stored, reign.replica, renewedNs);
    // The renewals that were not simulated: the Lease as the last of them left it.
    this.#api.correct("Lease", this.#leaseKey, noted);
    this.#campaign(reign.replica);
  }

  #lead(replica: number, synced: boolean): void {
    this.#reign = { replica, isOver: false };
    this.#candidates.lead(this.#connectionOf(replica), synced);
  }

  #end(reign: Reign): void {
    reign.isOver = true;
    this.#reign = null;
    this.#isRenewing = false;
    this.#candidates.end();
  }

  #stream(): RandomStream {
    return this.#sim.streams.get(`${this.#candidates.component}/election`);
  }

  /** Renewals come every retryPeriod since some time; drawn once. */
  #lastRenewalNs(): SimTimeNs {
    const { retryPeriodNs } = this.#profile;
    return Math.max(0, this.#sim.nowNs - Math.floor(this.#stream().uniform() * retryPeriodNs));
  }

  #renewFromNowOn(): void {
    const reign = this.#reign;
    if (reign === null || this.#isRenewing) return;
    this.#isRenewing = true;
    const { retryPeriodNs } = this.#profile;
    const nextNs = this.#lastRenewalNs() + retryPeriodNs;
    this.#sim.callAt(Math.max(this.#sim.nowNs, nextNs), Phase.start, () => this.#renew(reign));
  }

  /** A round: tries each retryPeriod until one succeeds; none for the renewDeadline, and the process exits. */
  #renew(reign: Reign): void {
    if (reign.isOver) return;
    const { retryPeriodNs, renewDeadlineNs } = this.#profile;
    let isDone = false;
    const deadline = this.#sim.callAfter(renewDeadlineNs, Phase.timeout, () => {
      isDone = true;
      if (reign.isOver) return;
      this.#end(reign);
      this.#campaign(reign.replica);
    });
    const attempt = (): void => {
      if (isDone || reign.isOver) return;
      const { nowNs } = this.#sim;
      const change = (stored: Lease): Lease | null =>
        this.#holds(stored, reign.replica) ? this.#renewed(stored, reign.replica, nowNs) : null;
      this.#clientOf(reign.replica).patch("Lease", this.#leaseKey, change, (_lease, error) => {
        if (isDone || reign.isOver) return;
        if (error !== null) {
          this.#sim.callAfter(retryPeriodNs, Phase.start, attempt);
          return;
        }
        isDone = true;
        this.#sim.cancel(deadline);
        if (!this.#api.isDisturbed) {
          this.#isRenewing = false;
          return;
        }
        this.#sim.callAfter(retryPeriodNs, Phase.start, () => this.#renew(reign));
      });
    };
    attempt();
  }

  /** Every replica looks at the Lease; the one that has died is back as one that waits. */
  #campaign(loser: number): void {
    const { replicas, retryPeriodNs, jitterFactor } = this.#profile;
    for (let replica = 0; replica < replicas; replica++) {
      if (replica === loser) continue;
      // Its last look before: how long ago is a matter of luck.
      const lastNs = this.#sim.nowNs - Math.floor(this.#stream().uniform() * retryPeriodNs);
      const observed = { renewTimeNs: -1, sinceNs: lastNs };
      const nextNs =
        lastNs + Math.floor(retryPeriodNs * (1 + jitterFactor * this.#stream().uniform()));
      this.#sim.callAt(Math.max(this.#sim.nowNs, nextNs), Phase.start, () =>
        this.#look(replica, observed),
      );
    }
    // The one that exited is started again by its kubelet, and has seen nothing yet.
    this.#sim.callAfter(retryPeriodNs, Phase.start, () =>
      this.#look(loser, { renewTimeNs: -1, sinceNs: this.#sim.nowNs }),
    );
  }

  /** tryAcquireOrRenew of a replica that waits. */
  #look(replica: number, observed: Observation): void {
    if (this.#reign !== null) return;
    const { leaseDurationNs, retryPeriodNs, jitterFactor } = this.#profile;
    let isTaken = false;
    const change = (stored: Lease): Lease | null => {
      const { nowNs } = this.#sim;
      if (stored.spec.renewTimeNs !== observed.renewTimeNs) {
        // Renewed before its last look: then it has known since that look.
        const isOld = observed.renewTimeNs === -1 && stored.spec.renewTimeNs <= observed.sinceNs;
        observed.renewTimeNs = stored.spec.renewTimeNs;
        if (!isOld) observed.sinceNs = nowNs;
      }
      if (observed.sinceNs + leaseDurationNs >= nowNs) return null;
      isTaken = true;
      return this.#renewed(stored, replica, nowNs);
    };
    this.#clientOf(replica).patch("Lease", this.#leaseKey, change, (_lease, error) => {
      if (this.#reign !== null) return;
      if (isTaken && error === null) {
        this.#lead(replica, false);
        if (this.#api.isDisturbed) this.#renewFromNowOn();
        return;
      }
      const waitNs = Math.floor(retryPeriodNs * (1 + jitterFactor * this.#stream().uniform()));
      this.#sim.callAfter(waitNs, Phase.start, () => this.#look(replica, observed));
    });
  }

  #clientOf(replica: number): ApiClient {
    let client = this.#clients.get(replica);
    if (client === undefined) {
      const { qps, burst, user } = this.#candidates;
      const connection = this.#connectionOf(replica);
      const name = `${connection}/election`;
      client = this.#api.client({ name, qps, burst, user, connection });
      this.#clients.set(replica, client);
    }
    return client;
  }

  /** The first leads when the run begins. */
  #connectionOf(replica: number): string {
    const { component } = this.#candidates;
    return replica === 0 ? component : `${component}-${replica + 1}`;
  }

  #firstLease(): Lease {
    const { component } = this.#candidates;
    const { leaseDurationNs } = this.#profile;
    return {
      kind: "Lease",
      metadata: { ...newMeta(NAMESPACE, component), uid: `lease/${this.#leaseKey}` },
      spec: {
        holderIdentity: this.#connectionOf(0),
        renewTimeNs: this.#sim.nowNs,
        leaseDurationNs,
      },
    };
  }

  #holds({ spec }: Lease, replica: number): boolean {
    return spec.holderIdentity === this.#connectionOf(replica);
  }

  #renewed(stored: Lease, replica: number, renewTimeNs: SimTimeNs): Lease {
    const holderIdentity = this.#connectionOf(replica);
    return { ...stored, spec: { ...stored.spec, holderIdentity, renewTimeNs } };
  }
}
