/**
 * The workload models: what a container, or a host outside, can run. One line each.
 *
 * Owns: the table, and starting a program from what the scenario came to. Refuses to own: any model;
 * each is a Program (program.ts) in a file of its own.
 */
import { LoadClient, type ClientOptions } from "./client.ts";
import { DnsServer, type DnsServerOptions } from "./dns/server.ts";
import type { Program, ProgramContext } from "./program.ts";
import { Task, type TaskOptions } from "./task.ts";
import { RequestServer, type ServerOptions } from "./server.ts";

/** What a program learns from the container that it runs in. */
interface Launch {
  /** Ports that the container declares: those of TCP, of UDP and of SCTP. */
  readonly ports: readonly number[];
  readonly udpPorts: readonly number[];
  readonly sctpPorts: readonly number[];
  /** limits of the container; null or absent: none. */
  readonly cpuLimitMillis?: number | null;
  readonly memoryLimitBytes?: number | null;
  /** Running already when the simulation begins. */
  readonly started: boolean;
}

type WorkloadModel<Options> = (
  context: ProgramContext,
  options: Options,
  launch: Launch,
) => Program;

const models = {
  server: (context: ProgramContext, options: Omit<ServerOptions, keyof Launch>, launch: Launch) =>
    new RequestServer(context, { ...options, ...launch }),
  client: (context: ProgramContext, options: ClientOptions) => new LoadClient(context, options),
  dns: (context: ProgramContext, options: Omit<DnsServerOptions, "started">, launch: Launch) =>
    new DnsServer(context, { ...options, started: launch.started }),
  task: (context: ProgramContext, options: TaskOptions) => new Task(context, options),
} satisfies Readonly<Record<string, WorkloadModel<never>>>;

type Models = typeof models;
type ModelName = keyof Models;

/** What a container runs, chosen when the scenario is compiled. */
export type ProgramSpec = { [K in ModelName]: SpecOf<K> }[ModelName];

interface SpecOf<K extends ModelName> {
  readonly kind: K;
  readonly options: Parameters<Models[K]>[1];
}

/** Starts a program of any model: in a container, or on a host outside the cluster. */
export function startProgram<K extends ModelName>(
  context: ProgramContext,
  { kind, options }: SpecOf<K>,
  launch: Launch,
): Program {
  const start = models[kind] as WorkloadModel<Parameters<Models[K]>[1]>;
  return start(context, options, launch);
}
