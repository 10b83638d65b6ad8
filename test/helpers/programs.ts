/** Servers and clients on the small wire, with defaults that make every time plain, and what became of requests. */
import { ms, seconds } from "../../src/engine/index.ts";
import type { AddressId } from "../../src/network/address.ts";
import type { Guest } from "../../src/network/kinds/contract.ts";
import { TransportProtocol } from "../../src/network/nat.ts";
import { linuxProfile, type LinuxProfile } from "../../src/network/profile.ts";
import {
  createObservations,
  outcomeNames,
  type OutcomeName,
} from "../../src/observe/observations.ts";
import { LoadClient, type ClientOptions } from "../../src/workload/client.ts";
import { Programs } from "../../src/workload/program.ts";
import type { RateSegment } from "../../src/workload/rate.ts";
import { RequestServer, type ServerOptions } from "../../src/workload/server.ts";
import { guest, wire, type Wire } from "./wire.ts";

export const WORKLOAD = 1;

export interface Ended {
  readonly outcome: OutcomeName;
  readonly startedNs: number;
  readonly endedNs: number;
  readonly attempts: number;
}

export interface ProgramRig extends Wire {
  readonly programs: Programs;
  readonly startedNs: number[];
  readonly ended: Ended[];
  /** A server pod on node-1, and one for clients on node-2. */
  readonly serverPod: Guest;
  readonly clientPod: Guest;
  readonly serverAddress: AddressId;
  /** Exit codes of servers and clients by name, as they come. */
  readonly exits: {
    readonly name: string;
    readonly code: number;
    readonly atNs: number;
    readonly oomKilled?: boolean;
  }[];
  readonly server: (change?: Partial<ServerOptions>, where?: Guest, name?: string) => RequestServer;
  readonly client: (change?: Partial<ClientOptions>, name?: string) => LoadClient;
}

/** `rps` for ever from time 0. */
export function steadily(rps: number): RateSegment[] {
  return [{ fromNs: 0, startRps: rps, endRps: rps, rampNs: 0 }];
}

export function openLoop(
  rps: number,
  process: "poisson" | "deterministic" = "deterministic",
): ClientOptions["load"] {
  return { kind: "openLoop", rate: steadily(rps), share: 1, process };
}

export const noRetries: ClientOptions["retries"] = {
  maxAttempts: 1,
  initialBackoffNs: ms(100),
  backoffFactor: 2,
  maxBackoffNs: seconds(10),
  jitter: 0,
};

export function programRig(profile: LinuxProfile = linuxProfile, seed = "programs"): ProgramRig {
  const base = wire(profile, seed);
  const { sim, network, transport } = base;
  const startedNs: number[] = [];
  const ended: Ended[] = [];
  const exits: { name: string; code: number; atNs: number; oomKilled?: boolean }[] = [];
  const observations = createObservations([
    {
      requestStarted: (_client, _service, atNs) => startedNs.push(atNs),
      requestEnded: (_client, _service, outcome, from, endedNs, attempts) =>
        ended.push({ outcome: outcomeNames[outcome]!, startedNs: from, endedNs, attempts }),
    },
  ]);
  const programs = new Programs(sim, transport, observations);
  const [serverPod, clientPod] = [guest(base, 0, "server"), guest(base, 1, "client")];
  const context = (name: string, where: Guest) => ({
    programs,
    namespace: network.namespaces[where.namespace]!,
    name,
    exited: (code: number, oomKilled = false) =>
      void exits.push({ name, code, atNs: sim.nowNs, ...(oomKilled && { oomKilled }) }),
  });
  const server = (change: Partial<ServerOptions> = {}, where = serverPod, name = "server") =>
    new RequestServer(context(name, where), {
      workload: WORKLOAD,
      ports: [80],
      udpPorts: [],
      sctpPorts: [],
      concurrency: 1,
      queueLimit: 100,
      serviceTime: { kind: "deterministic", value: ms(10) },
      startupTime: { kind: "deterministic", value: ms(200) },
      responseBytes: 1000,
      onSigterm: "drain",
      probeServiceNs: ms(1),
      smallMessageBytes: 200,
      started: true,
      ...change,
    });
  const serverAddress = serverPod.addresses[0]!;
  /** By default one request a second from 1 s on, on a connection of its own, tried once. */
  const client = (change: Partial<ClientOptions> = {}, name = "client") =>
    new LoadClient(context(name, clientPod), {
      client: 0,
      service: 0,
      addresses: [serverAddress],
      port: 80,
      protocol: TransportProtocol.TCP,
      workloads: new Set([WORKLOAD]),
      load: openLoop(1),
      poolSize: 0,
      requestBytes: 200,
      timeoutNs: seconds(2),
      retries: noRetries,
      startNs: 0,
      stopNs: seconds(1.5),
      ...change,
    });
  const parts = { programs, startedNs, ended, exits, serverPod, clientPod, serverAddress };
  return { ...base, ...parts, server, client };
}
