/**
 * One container: from `docker run` over stops and crashes to the next start.
 *
 * Owns: its state, its restart policy, and the order of what a start takes and an end gives back. Address and ports are
 * taken at each start and given back when the process has ended, so a start can fail, and an address can change.
 * Refuses to own: the host's ports and the bridge (handed in). Source: moby daemon, restartmanager.go; timings §8.
 * Not modelled: image pulls, health checks, `docker rm`, pause.
 */
import {
  createDistribution,
  Phase,
  sampleNs,
  type DistributionSpec,
  type RandomStream,
  type Simulation,
} from "../engine/index.ts";
import { NO_ADDRESS, type AddressId } from "../network/address.ts";
import type { Host } from "../network/host.ts";
import type { Guest, GuestNetwork } from "../network/kinds/contract.ts";
import type { Network } from "../network/network.ts";
import type { Observations } from "../observe/observations.ts";
import type { ContainerProcess, ContainerSpec, Launch } from "./contract.ts";
import type { DockerProfile } from "./profile.ts";
import type { Publication, PublishedPorts } from "./publishedPorts.ts";
import { RestartManager } from "./restartManager.ts";

/** As `docker ps -a` shows it. */
type ContainerState = "created" | "running" | "restarting" | "exited";

interface ContainerContext {
  readonly sim: Simulation;
  readonly observations: Observations;
  readonly network: Network;
  readonly profile: DockerProfile;
  readonly host: Host;
  readonly bridge: GuestNetwork;
  readonly ports: PublishedPorts;
}

export class DockerContainer {
  readonly spec: ContainerSpec;
  state: ContainerState = "created";
  readonly #context: ContainerContext;
  readonly #launch: Launch;
  readonly #stream: RandomStream;
  readonly #restarts: RestartManager;
  #guest: Guest | null = null;
  #publication: Publication | null = null;
  #process: ContainerProcess | null = null;
  #runs = 0;
  #startedAtNs = 0;
  /** Goes up with every start and end: what was planned before is void. */
  #generation = 0;
  #stopped = false;
  #startWhenExited = false;

  constructor(spec: ContainerSpec, context: ContainerContext, launch: Launch) {
    this.spec = spec;
    this.#context = context;
    this.#launch = launch;
    this.#stream = context.sim.streams.get(`docker/${spec.host}/${spec.name}`);
    this.#restarts = new RestartManager(spec.restart, context.profile);
  }

  /** Its address on the bridge while it has one: what `docker inspect` shows. */
  get address(): AddressId {
    return this.#guest?.addresses[0] ?? NO_ADDRESS;
  }

  get isRunning(): boolean {
    return this.#process !== null;
  }

  /** Its ports are published: from the start until the process has ended. */
  get isPublished(): boolean {
    return this.#publication !== null;
  }

  /** It has been running for days. @throws Error where a start would fail */
  startAtRest(): void {
    const error = this.#connect();
    if (error !== null) throw new Error(`container ${this.spec.name}: ${error}`);
    this.#run(true);
  }

  /** `docker start`. Nothing happens if it runs or is being started already. */
  start(): void {
    if (this.#publication !== null) return;
    this.#stopped = false;
    this.#startWhenExited = false;
    const generation = ++this.#generation;
    const error = this.#connect();
    if (error !== null) {
      // A container that never ran stays as it is: created.
      if (this.state === "restarting") this.state = "exited";
      this.#event("container_start_failed", error);
      return;
    }
    const { sim, profile } = this.#context;
    sim.callAfter(this.#sample(profile.startTime), Phase.topology, () => {
      if (generation === this.#generation) this.#run(false);
    });
  }

  /** `docker stop`: SIGTERM, and SIGKILL when its time is over. No policy restarts it. */
  stop(): void {
    this.#stopped = true;
    this.#startWhenExited = false;
    if (this.#process === null) {
      this.#abandonStart();
      return;
    }
    const process = this.#process;
    const { sim, profile } = this.#context;
    process.signal("SIGTERM");
    sim.callAfter(profile.stopTimeoutNs, Phase.timeout, () => {
      if (this.#process === process) process.signal("SIGKILL");
    });
  }

  /** `docker kill`: SIGKILL. No policy restarts it. */
  kill(): void {
    this.#stopped = true;
    this.#startWhenExited = false;
    if (this.#process === null) this.#abandonStart();
    else this.#process.signal("SIGKILL");
  }

  /** `docker restart`: a stop, then a start. */
  restart(): void {
    if (this.#process === null) {
      this.#abandonStart();
      this.start();
      return;
    }
    this.stop();
    this.#startWhenExited = true;
  }

  /** Its process ends by itself: what follows is the restart policy's. */
  crash(exitCode: number): void {
    this.#process?.crash(exitCode);
  }

  /** Takes an address and the ports. @returns the daemon's error, or null */
  #connect(): string | null {
    const { bridge, host, ports } = this.#context;
    if (this.spec.network === "bridge") {
      this.#guest = bridge.add(host.index, this.spec.name);
      if (this.#guest === null)
        return "no available IPv4 addresses on this network's address pools";
    }
    const publication = ports.publish(this.spec.publish, this.address);
    if (typeof publication === "string") {
      this.#disconnect();
      return publication;
    }
    this.#publication = publication;
    return null;
  }

  #disconnect(): void {
    this.#publication?.end();
    this.#publication = null;
    if (this.#guest !== null) this.#context.bridge.del(this.#guest);
    this.#guest = null;
  }

  get #namespace(): number {
    return this.#guest?.namespace ?? this.#context.host.namespace.index;
  }

  #run(atRest: boolean): void {
    const { sim, network } = this.#context;
    this.state = "running";
    this.#startedAtNs = sim.nowNs;
    const namespace = network.namespaces[this.#namespace]!;
    this.#process = this.#launch(namespace, this.#runs++, atRest, (exitCode) =>
      this.#exited(exitCode),
    );
    const address = this.#guest === null ? "host network" : network.addresses.text(this.address);
    if (!atRest) this.#event("container_started", address);
  }

  #exited(exitCode: number): void {
    const { sim } = this.#context;
    this.#process = null;
    this.#generation++;
    this.#disconnect();
    this.state = "exited";
    this.#event("container_exited", `exit code ${exitCode}`);
    if (this.#startWhenExited) {
      this.start();
      return;
    }
    const waitNs = this.#restarts.waitNs(exitCode, this.#stopped, sim.nowNs - this.#startedAtNs);
    if (waitNs === null) return;
    this.state = "restarting";
    const generation = this.#generation;
    sim.callAfter(waitNs, Phase.start, () => {
      if (generation === this.#generation) this.start();
    });
  }

  /** A start under way, or a restart that waits, comes to nothing. */
  #abandonStart(): void {
    this.#generation++;
    if (this.state === "restarting") this.state = "exited";
    this.#disconnect();
  }

  #event(kind: string, detail: string): void {
    const { sim, observations } = this.#context;
    observations.event(sim.nowNs, kind, `container/${this.spec.name}`, detail);
  }

  #sample(spec: DistributionSpec): number {
    return sampleNs(createDistribution(spec), this.#stream);
  }
}
