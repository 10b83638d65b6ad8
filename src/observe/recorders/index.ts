/**
 * The table of recorders, and the recording of one run by all of them.
 *
 * Owns: which recorders there are, in the order of their files. To add one: write its file here and
 * add its line to the table. Refuses to own: what any of them keeps.
 */
import { Changes } from "../changes.ts";
import { Directory } from "../directory.ts";
import { EndpointWindows } from "../endpoint-windows.ts";
import type { Observer } from "../observations.ts";
import type { Recorder, RecordingContext, Table, Trend } from "../recorder.ts";
import type { RunTotals } from "../totals.ts";
import { ConnectionFlows } from "./connection-flows.ts";
import { Conntracks } from "./conntracks.ts";
import { ContainerCpu } from "./container-cpu.ts";
import { Dns } from "./dns.ts";
import { DnsUpdateLag } from "./dns-update-lag.ts";
import { EndpointLoad } from "./endpoint-load.ts";
import { EndpointUpdateLag } from "./endpoint-update-lag.ts";
import { Events } from "./events.ts";
import { FailedRequests } from "./failed-requests.ts";
import { Failures } from "./failures.ts";
import { HopLoad } from "./hop-load.ts";
import { Hops } from "./hops.ts";
import { KubeProxies } from "./kube-proxies.ts";
import { LoadSkew } from "./load-skew.ts";
import { NetworkProgramming } from "./network-programming.ts";
import { Requests } from "./requests.ts";
import { Routes } from "./routes.ts";
import { StaleRouting } from "./stale-routing.ts";

/** What several recorders need is observed once and shared. */
interface Shared {
  readonly directory: Directory;
  readonly changes: Changes;
  readonly endpointWindows: EndpointWindows;
}

const recorderTable: readonly ((shared: Shared) => Recorder)[] = [
  ({ changes, directory }) => new EndpointUpdateLag(changes, directory),
  ({ changes }) => new DnsUpdateLag(changes),
  ({ changes, directory }) => new NetworkProgramming(changes, directory),
  ({ directory }) => new StaleRouting(directory),
  ({ endpointWindows, directory }) => new LoadSkew(endpointWindows, directory),
  ({ endpointWindows, changes, directory }) =>
    new EndpointLoad(endpointWindows, changes, directory),
  ({ directory }) => new Requests(directory),
  ({ directory }) => new Failures(directory),
  ({ directory }) => new FailedRequests(directory),
  ({ directory }) => new Routes(directory),
  ({ directory }) => new Dns(directory),
  () => new Hops(),
  () => new Conntracks(),
  () => new ContainerCpu(),
  ({ directory }) => new KubeProxies(directory),
  () => new Events(),
];

/** Kept beside the others only when they are asked for, and no part of what a run's results are known by. */
const onRequest: Readonly<Record<RequestedRecorder, (shared: Shared) => Recorder>> = {
  flows: ({ directory }) => new ConnectionFlows(directory),
  hopLoad: () => new HopLoad(),
};

export type RequestedRecorder = "flows" | "hopLoad";

/** One run's recorders. Hand `observers` to the run; afterwards ask for tables and totals. */
export class Recording {
  readonly observers: readonly Observer[];
  readonly #recorders: readonly Recorder[];
  readonly #requested: readonly Recorder[];

  constructor(requested: readonly RequestedRecorder[] = []) {
    const directory = new Directory();
    const changes = new Changes(directory);
    const endpointWindows = new EndpointWindows(directory);
    const shared = { directory, changes, endpointWindows };
    this.#recorders = recorderTable.map((create) => create(shared));
    this.#requested = requested.map((name) => onRequest[name](shared));
    // Names first: what follows may look them up while it is being told.
    this.observers = [directory, changes, endpointWindows, ...this.#recorders, ...this.#requested];
  }

  tables(context: RecordingContext): readonly Table[] {
    return this.#recorders.flatMap((recorder) => recorder.tables(context));
  }

  /** Of the recorders that were asked for. */
  requestedTables(context: RecordingContext): readonly Table[] {
    return this.#requested.flatMap((recorder) => recorder.tables(context));
  }

  trends(): Trend[] {
    return this.#recorders.flatMap((recorder) => [...(recorder.trends?.() ?? [])]);
  }

  totals(context: RecordingContext): RunTotals {
    return Object.assign(
      {},
      ...this.#recorders.map((recorder) => recorder.totals?.(context) ?? {}),
    );
  }
}
