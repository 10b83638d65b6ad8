/** A small cluster from YAML, run to its end: who was routed where, and what clients saw. */
import { compile, type Run } from "../../src/scenario/compile.ts";
import { defaultProfile } from "../../src/scenario/profile.ts";
import { outcomeNames } from "../../src/observe/observations.ts";
import type { BrokenLaw } from "../../src/observe/report.ts";
import { loadFiles } from "../scenario/files.ts";

export interface Routed {
  readonly atNs: number;
  /** Node whose rules chose, node of the endpoint that was chosen, and its pod. */
  readonly by: string;
  readonly to: string;
  readonly pod: string;
}

export interface Ended {
  readonly client: string;
  readonly outcome: string;
  readonly startNs: number;
  readonly endNs: number;
}

export interface ServiceRun {
  readonly run: Run;
  readonly routed: readonly Routed[];
  readonly ended: readonly Ended[];
  readonly brokenLaws: readonly BrokenLaw[];
  /** Drops by "place cause". */
  readonly drops: Readonly<Record<string, number>>;
}

/** @param fields of the scenario, without `duration` */
export async function runServices(
  manifest: string,
  fields: string,
  duration = "20s",
): Promise<ServiceRun> {
  const text = `import { closedLoop, externalIP, keepAlive, loadBalancer, nodePort, openLoop, outside, pods, resetPods, setEndpoints, stages } from "podstorm";
export default { duration: "${duration}", ${fields} } as any;`;
  const files = { "scenario.ts": text, "web.yaml": manifest };
  const scenario = await loadFiles(files, { profile: defaultProfile });
  const nodes: string[] = [];
  const endpoints: { pod: string; node: string }[] = [];
  const routed: Routed[] = [];
  const ended: Ended[] = [];
  const run = compile(scenario, [
    {
      nodeNamed: (index, name) => (nodes[index] = name),
      endpointNamed: (index, _service, _address, pod, node) => (endpoints[index] = { pod, node }),
      connectionRouted: (node, endpoint, atNs) => {
        const { pod, node: to } = endpoints[endpoint]!;
        routed.push({ atNs, by: nodes[node]!, to, pod });
      },
      requestEnded: (client, _service, outcome, startNs, endNs) => {
        const { name } = scenario.clients[client]!;
        ended.push({ client: name, outcome: outcomeNames[outcome]!, startNs, endNs });
      },
    },
  ]);
  run.runUntil(scenario.durationNs);
  const drops: Record<string, number> = {};
  for (const [place, causes] of run.transport.network.drops) {
    for (const [cause, count] of causes) drops[`${place} ${cause}`] = count;
  }
  return { run, routed, ended, drops, brokenLaws: run.finish().brokenLaws };
}

/** How often each word comes. */
export function counts(words: Iterable<string>): Record<string, number> {
  const found: Record<string, number> = {};
  for (const word of words) found[word] = (found[word] ?? 0) + 1;
  return found;
}

export function outcomes({ ended }: ServiceRun, client?: string): Record<string, number> {
  const own = ended.filter((each) => client === undefined || each.client === client);
  return counts(own.map(({ outcome }) => outcome));
}

/** Addresses that connections to the pods' port 80 come from, as the servers see them now. */
export function clientAddresses({ run }: ServiceRun): string[] {
  const { addresses } = run.transport.network;
  const seen = run.transport.sockets.all
    .filter(({ listener, localPort }) => listener !== null && localPort === 80)
    .map(({ remoteAddress }) => addresses.text(remoteAddress));
  return [...new Set(seen)].toSorted();
}
