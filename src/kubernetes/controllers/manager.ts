/**
 * kube-controller-manager: which of its replicas leads, and the controllers that run in the leader.
 *
 * Owns: the leader's Lease, its renewal, giving up, and taking over by another replica, whose controllers begin
 * anew with what they then list. Refuses to own: what a controller does. Source: client-go
 * tools/leaderelection/leaderelection.go; timings §3.
 *
 * A renewal of a leader that nothing disturbs always succeeds and changes nothing else, and so does the look of
 * a replica that waits: they are simulated from the first disturbance of the API server, or of the leader, on.
 */
import { Phase, type RandomStream, type SimTimeNs, type Simulation } from "../../engine/index.ts";
import type { ApiClient, WriteCallback } from "../api/contract.ts";
import type { SimulatedApiServer } from "../api/server.ts";
import type { Kind, Lease } from "../api/types.ts";
import { SharedInformers, type Controller, type ControllerContext } from "./contract.ts";
import { createControllers } from "./index.ts";
import { newMeta } from "./pods.ts";
import type { ControllerManagerProfile } from "./profile.ts";

const LEASE_KEY = "kube-system/kube-controller-manager";
const USER = "system:kube-controller-manager";

/** The controllers of one process, for as long as it leads. */
interface Reign {
  readonly replica: number;
  readonly controllers: readonly Controller[];
  readonly informers: SharedInformers;
  isOver: boolean;
}

/** What a replica that waits has seen of the Lease, by its own clock. */
interface Observation {
  renewTimeNs: SimTimeNs;
  sinceNs: SimTimeNs;
}

export class ControllerManager {
  readonly #sim: Simulation;
  readonly #api: SimulatedApiServer;
  readonly #profile: ControllerManagerProfile;
  readonly #stream: () => RandomStream;
  #reign: Reign | null = null;
  /** One for each replica's election, made when it is needed. */
  readonly #clients = new Map<number, ApiClient>();
  #isRenewing = false;

  constructor(sim: Simulation, api: SimulatedApiServer, profile: ControllerManagerProfile) {
    this.#sim = sim;
    this.#api = api;
    this.#profile = profile;
    this.#stream = () => sim.streams.get("kube-controller-manager/election");
    api.preload("Lease", leaseOf(0, sim.nowNs, profile));
    api.onDisturbance(() => this.#renewFromNowOn());
  }

  /** @param synced what exists already is in order */
  /** The metrics API, if there is one. Set before the start. */
  metrics: Pick<ControllerContext, "podMetrics"> = {};

  start(synced: boolean): void {
    this.#lead(0, synced);
  }

  /** A leader is there, and its controllers have nothing left to do. */
  get isIdle(): boolean {
    return this.#reign !== null && this.#reign.controllers.every(({ isIdle }) => isIdle);
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
    const noted = (stored: Lease): Lease => withRenewal(stored, reign.replica, renewedNs);
    // The renewals that were not simulated: the Lease as the last of them left it.
    this.#api.correct("Lease", LEASE_KEY, noted);
    this.#campaign(reign.replica);
  }

  #lead(replica: number, synced: boolean): void {
    const name = connectionOf(replica);
    const informers = new SharedInformers(this.#api, name);
    const controllers = createControllers(this.#profile);
    const reign: Reign = { replica, controllers, informers, isOver: false };
    this.#reign = reign;
    const { clientQps: qps, clientBurst: burst } = this.#profile;
    for (const controller of controllers) {
      const options = { name: controller.name, qps, burst, user: USER, connection: name };
      const client = whileAlive(this.#api.client(options), reign);
      const context = { sim: this.#sim, profile: this.#profile, client, informers };
      controller.start({ ...context, ...this.metrics }, synced);
    }
    informers.synced();
  }

  /** The process is no more: its watches end, and no answer finds anybody. */
  #end(reign: Reign): void {
    reign.isOver = true;
    reign.informers.stop();
    this.#reign = null;
    this.#isRenewing = false;
  }

  /** Renewals come every retryPeriod since some time; drawn once. */
  #lastRenewalNs(): SimTimeNs {
    const { retryPeriodNs } = this.#profile.leaderElection;
    return Math.max(0, this.#sim.nowNs - Math.floor(this.#stream().uniform() * retryPeriodNs));
  }

  #renewFromNowOn(): void {
    const reign = this.#reign;
    if (reign === null || this.#isRenewing) return;
    this.#isRenewing = true;
    const { retryPeriodNs } = this.#profile.leaderElection;
    const nextNs = this.#lastRenewalNs() + retryPeriodNs;
    this.#sim.callAt(Math.max(this.#sim.nowNs, nextNs), Phase.start, () => this.#renew(reign));
  }

  /** A round: tries each retryPeriod until one succeeds; none for the renewDeadline, and the process exits. */
  #renew(reign: Reign): void {
    if (reign.isOver) return;
    const { retryPeriodNs, renewDeadlineNs } = this.#profile.leaderElection;
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
        holds(stored, reign.replica) ? withRenewal(stored, reign.replica, nowNs) : null;
      this.#clientOf(reign.replica).patch("Lease", LEASE_KEY, change, (_lease, error) => {
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
    const { replicas, retryPeriodNs, jitterFactor } = this.#profile.leaderElection;
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
    const { leaseDurationNs, retryPeriodNs, jitterFactor } = this.#profile.leaderElection;
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
      return withRenewal(stored, replica, nowNs);
    };
    this.#clientOf(replica).patch("Lease", LEASE_KEY, change, (_lease, error) => {
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
      const { clientQps: qps, clientBurst: burst } = this.#profile;
      const connection = connectionOf(replica);
      client = this.#api.client({
        name: `${connection}/election`,
        qps,
        burst,
        user: USER,
        connection,
      });
      this.#clients.set(replica, client);
    }
    return client;
  }
}

/** The first leads when the run begins. */
function connectionOf(replica: number): string {
  return replica === 0 ? "kube-controller-manager" : `kube-controller-manager-${replica + 1}`;
}

function leaseOf(replica: number, nowNs: SimTimeNs, profile: ControllerManagerProfile): Lease {
  const { leaseDurationNs } = profile.leaderElection;
  return {
    kind: "Lease",
    metadata: { ...newMeta("kube-system", "kube-controller-manager"), uid: `lease/${LEASE_KEY}` },
    spec: { holderIdentity: connectionOf(replica), renewTimeNs: nowNs, leaseDurationNs },
  };
}

function holds({ spec }: Lease, replica: number): boolean {
  return spec.holderIdentity === connectionOf(replica);
}

function withRenewal(stored: Lease, replica: number, renewTimeNs: SimTimeNs): Lease {
  return {
    ...stored,
    spec: { ...stored.spec, holderIdentity: connectionOf(replica), renewTimeNs },
  };
}

/** The client of a process: when that is no more, nothing is sent and nobody answers. */
function whileAlive(client: ApiClient, reign: Reign): ApiClient {
  const heard =
    <K extends Kind>(done: WriteCallback<K> | undefined): WriteCallback<K> =>
    (object, error) => {
      if (!reign.isOver) done?.(object, error);
    };
  return {
    name: client.name,
    create: (kind, object, done) => {
      if (!reign.isOver) client.create(kind, object, heard(done));
    },
    update: (kind, object, done) => {
      if (!reign.isOver) client.update(kind, object, heard(done));
    },
    patch: (kind, key, change, done) => {
      if (!reign.isOver) client.patch(kind, key, change, heard(done));
    },
    delete: (kind, key, options, done) => {
      if (!reign.isOver) client.delete(kind, key, options, heard(done));
    },
    evict: (key, options, done) => {
      if (!reign.isOver) client.evict(key, options, heard(done));
    },
  };
}
