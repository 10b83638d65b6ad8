/**
 * `sim explain`: one run to find the request and what became of everything it met, a second one, the same, to follow
 * its connection's first packet.
 *
 * Owns: the order of these, and putting the explanation together. Refuses to own: advice (advice.ts), the look (text.ts).
 */
import type { SimTimeNs } from "../../engine/index.ts";
import { objectKey } from "../../kubernetes/api/types.ts";
import { lagStages } from "../../observe/changes.ts";
import { outcomeNames } from "../../observe/index.ts";
import { compile, type Run } from "../../scenario/compile.ts";
import { optionMistake, UserError } from "../../scenario/index.ts";
import type { ResolvedScenario } from "../../scenario/resolved.ts";
import { formatDuration } from "../../scenario/units.ts";
import { lifeAt } from "../timeline/lives.ts";
import type { PodLife } from "../timeline/record.ts";
import { followSocket } from "../trace/follow.ts";
import type { Trace } from "../trace/record.ts";
import { adviceFor, stageAt, type Evidence } from "./advice.ts";
import type { Departure, Explanation, Rules, Try } from "./record.ts";
import { explanationText } from "./text.ts";
import { RequestWatch, type SeenRequest, type SeenTry, type Wanted } from "./watch.ts";

export type { Wanted } from "./watch.ts";

export const explanationFormats = {
  text: explanationText,
  json: (explanation: Explanation): string => `${JSON.stringify(explanation, null, 2)}\n`,
} as const;

export type ExplanationFormat = keyof typeof explanationFormats;

export class Explainer {
  /** To be run to its end first. */
  readonly search: Run;
  readonly #scenario: ResolvedScenario;
  readonly #wanted: Wanted;
  readonly #watch: RequestWatch;
  #again: Run | null = null;

  constructor(scenario: ResolvedScenario, wanted: Wanted) {
    this.#scenario = scenario;
    this.#wanted = wanted;
    this.#watch = new RequestWatch(wanted, () => this.search.nowNs);
    this.search = compile(scenario, this.#watch.observers);
  }

  /**
   * The same run once more, to be run until just before the request's connection was opened; null: it had none.
   * @throws UserError when the run has had no such request
   */
  again(): { readonly run: Run; readonly untilNs: SimTimeNs } | null {
    const dialled = this.#found().tries.at(-1)?.dialled ?? null;
    if (dialled === null || dialled.atNs === 0) return null;
    this.#again = compile(this.#scenario, []);
    return { run: this.#again, untilNs: dialled.atNs - 1 };
  }

  explain(): Explanation {
    const found = this.#found();
    const { scenario, request } = { scenario: this.#scenario, request: found.number };
    const last = found.tries.at(-1);
    const packet = last === undefined ? null : this.#follow(found, last);
    const evidence: Evidence = {
      scenario: scenario.name,
      seed: scenario.seed,
      request,
      client: this.#watch.directory.client(found.client),
      service: this.#watch.directory.service(found.service),
      startedAtNs: found.tries[0]?.startedAtNs ?? 0,
      endedAtNs: last?.endedAtNs ?? null,
      outcome: last?.outcome == null ? null : outcomeNames[last.outcome]!,
      tries: found.tries.map((each) => this.#tryOf(found, each, each === last ? packet : null)),
      ...this.#decision(found, last, packet),
      packet,
      options: scenario.clients[found.client] ?? null,
    };
    const { options: _options, ...explanation } = evidence;
    return { ...explanation, advice: adviceFor(evidence) };
  }

  #found(): SeenRequest {
    const { found } = this.#watch;
    if (found !== null) return found;
    const end = formatDuration(this.search.nowNs);
    if ("request" in this.#wanted) {
      const problem = `no request ${this.#wanted.request} until ${end}`;
      throw new UserError([
        optionMistake("--request", problem, "a number that failed_requests.csv has"),
      ]);
    }
    const cause = outcomeNames[this.#wanted.firstFailure]!;
    const problem = `no request failed with ${cause} until ${end}`;
    throw new UserError([optionMistake("--first-failure", problem, "a cause in failures.csv")]);
  }

  #follow({ service }: SeenRequest, { dialled }: SeenTry): Trace | null {
    if (dialled === null || this.#again === null) return null;
    const to = this.#watch.directory.service(service);
    return followSocket(this.#again, this.#scenario, dialled.socket, to);
  }

  #tryOf(found: SeenRequest, seen: SeenTry, packet: Trace | null): Try {
    const { startedAtNs, endedAtNs, outcome, dialled, endpoint, node } = seen;
    const { directory } = this.#watch;
    const { rules, departure, life } = this.#decision(found, seen, packet);
    const known = endpoint < 0 ? null : directory.endpoint(endpoint);
    return {
      startedAtNs,
      endedAtNs,
      outcome: outcome === null ? null : outcomeNames[outcome]!,
      dialledAtNs: dialled?.atNs ?? null,
      endpoint: known?.address ?? null,
      pod: known?.pod ?? null,
      node: known === null ? null : (directory.nodes[node] ?? null),
      rules,
      departure,
      life,
    };
  }

  /** Which node chose, by what, and what was true then. */
  #decision(
    found: SeenRequest,
    last: SeenTry | undefined,
    packet: Trace | null,
  ): Pick<Evidence, "rules" | "departure" | "life" | "others"> {
    const { directory, lives } = this.#watch;
    if (last === undefined || last.endpoint < 0) {
      return { rules: null, departure: null, life: null, others: 0 };
    }
    const { pod, service, address } = directory.endpoint(last.endpoint);
    const decidedAtNs = decisionOf(last, packet);
    const node = directory.nodes[last.node];
    const name = directory.service(service);
    const inForce = this.#watch.inForce(last.node, name, familyOfEndpoint(address), decidedAtNs);
    const rules: Rules | null =
      node === undefined
        ? null
        : {
            node,
            decidedAtNs,
            version: inForce?.version ?? null,
            inForceSinceNs: inForce?.atNs ?? null,
            viaDns: this.#isHeadless(name),
          };
    const life = lifeAt(lives.lives(), pod, decidedAtNs);
    return {
      rules,
      departure: this.#departure(last, decidedAtNs, life),
      life,
      others: this.#usableOthers(found, last.endpoint, decidedAtNs),
    };
  }

  #isHeadless(service: string): boolean {
    const { services } = this.#scenario.cluster;
    return services.some((each) => objectKey(each) === service && each.spec.clusterIP === "None");
  }

  #departure({ endpoint, node }: SeenTry, atNs: SimTimeNs, life: PodLife | null): Departure | null {
    const gone = this.#watch.departure(endpoint, atNs);
    if (gone === null) return null;
    const { changes, directory } = this.#watch;
    const { change } = changes.records[gone.id]!;
    const times = directory.nodes.map((_name, index) => changes.programmedAtNs(gone.id, index));
    const stages = changes.stagesNs(gone.id, node);
    return {
      change: change === "removed" ? "removed" : "condition",
      atNs: gone.atNs,
      isGraceful: stageAt(life, "told to go") !== null,
      programmedAtNs: times[node] ?? null,
      stages: lagStages.map((stage, i) => ({ stage, tookNs: stages[i] ?? null })),
      lastNodeAtNs: times.includes(null) ? null : Math.max(...(times as number[])),
    };
  }

  #usableOthers({ service }: SeenRequest, endpoint: number, atNs: SimTimeNs): number {
    let others = 0;
    const { directory } = this.#watch;
    const family = familyOfEndpoint(directory.endpoint(endpoint).address);
    for (const [index, known] of directory.endpoints.entries()) {
      if (index === endpoint || known.service !== service) continue;
      if (familyOfEndpoint(known.address) !== family) continue;
      if (this.#watch.isUsable(index, atNs)) others++;
    }
    return others;
  }
}

/** Of "ip:port", in brackets if it is IPv6. */
function familyOfEndpoint(address: string): 4 | 6 {
  return address.startsWith("[") ? 6 : 4;
}

/** When a connection was given its endpoint: where the packet met the rules, else when it was opened. */
function decisionOf({ dialled, startedAtNs }: SeenTry, packet: Trace | null): SimTimeNs {
  const atNs = dialled?.atNs ?? startedAtNs;
  const step = packet?.steps.find(
    (each) => each.kind === "netfilter" && each.before.destination !== each.after.destination,
  );
  return atNs + (step?.afterNs ?? 0);
}
