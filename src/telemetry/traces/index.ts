/**
 * `--trace`: a sample of requests as spans, beside what the control plane did.
 *
 * Owns: the two runs. The first one is the user's: it is only observed, and a sample of the requests that match is drawn when
 * they have ended. The second one is the same again, and follows only these. So what is not traced costs next to nothing,
 * and a filter may ask how a request ended. Refuses to own: formats.
 */
import type { SimTimeNs } from "../../engine/index.ts";
import { Places } from "../../inspect/trace/places.ts";
import { compile, type Run } from "../../scenario/compile.ts";
import type { ResolvedScenario } from "../../scenario/resolved.ts";
import type { Instrument } from "../contract.ts";
import { ControlPlaneWatch } from "./controlPlane.ts";
import type { RequestFilter } from "./filter.ts";
import { RequestFollower } from "./follower.ts";
import { otlpText } from "./otlp.ts";
import { requestTree } from "./requests.ts";
import { RequestSampler } from "./sampler.ts";
import type { TraceContents } from "./span.ts";
import { traceEventText } from "./traceEvents.ts";

export interface TraceOptions {
  /** One that ends in .otlp.json is OTLP, any other a Chrome trace. */
  readonly paths: readonly string[];
  readonly filter: RequestFilter;
  /** As typed. */
  readonly filterTexts: readonly string[];
  readonly limit: number;
  readonly replication: number;
  readonly version: string;
}

export function traces(scenario: ResolvedScenario, options: TraceOptions): Instrument {
  return new TraceInstrument(scenario, options);
}

class TraceInstrument implements Instrument {
  readonly paths: readonly string[];
  readonly #scenario: ResolvedScenario;
  readonly #options: TraceOptions;
  readonly #sampler: RequestSampler;
  readonly #controlPlane = new ControlPlaneWatch();
  #endNs: SimTimeNs = 0;
  #run: Run | null = null;
  #follower: RequestFollower | null = null;
  #contents: TraceContents | null = null;

  constructor(scenario: ResolvedScenario, options: TraceOptions) {
    this.paths = options.paths;
    this.#scenario = scenario;
    this.#options = options;
    this.#sampler = new RequestSampler(options.filter, options.limit);
  }

  get observers() {
    return [...this.#controlPlane.observers, ...this.#sampler.observers];
  }

  attach(run: Run): void {
    this.#run = run;
    this.#sampler.drawFrom(run.sim.streams.get("trace/sample"));
    this.#controlPlane.attach(run.stack.network);
  }

  again(): { readonly run: Run; readonly untilNs: SimTimeNs } | null {
    this.#endNs = this.#run?.nowNs ?? 0;
    const { chosen } = this.#sampler;
    if (chosen.length === 0) return null;
    const follower = new RequestFollower(chosen);
    const run = compile(this.#scenario, follower.observers, this.#options.replication);
    follower.attach(run, new Places(run, this.#scenario).placeOf);
    this.#follower = follower;
    return { run, untilNs: Math.max(...chosen.map(({ endedAtNs }) => endedAtNs)) };
  }

  content(path: string): Iterable<string> {
    this.#contents ??= this.#gather();
    return path.endsWith(".otlp.json") ? otlpText(this.#contents) : traceEventText(this.#contents);
  }

  #gather(): TraceContents {
    const { seed, name: scenario } = this.#scenario;
    const { limit, filterTexts, replication, version: podstorm } = this.#options;
    const { chosen, ended, matched } = this.#sampler;
    const controlPlane = this.#controlPlane;
    const slices = controlPlane.slices(this.#endNs);
    return {
      requests: this.#requestTrees(),
      changes: controlPlane.changes(),
      slices,
      instants: controlPlane.instants,
      counters: controlPlane.counters,
      about: {
        scenario,
        seed,
        replication,
        podstorm,
        filter: filterTexts.length === 0 ? "none" : filterTexts.join(", "),
        requests_ended: ended,
        requests_matched: matched,
        requests_shown: chosen.length,
        sampling:
          matched <= limit
            ? "every request that matched"
            : `${limit} of those that matched, each as likely as any other`,
        control_plane_items_left_out: controlPlane.left,
      },
    };
  }

  #requestTrees() {
    const follower = this.#follower;
    if (follower === null) return [];
    return [...follower.followed.values()].map((followed) => {
      const { request, tries } = followed;
      const last = tries.at(-1);
      if (last !== undefined && last.endedAtNs !== request.endedAtNs) {
        throw new Error(`request ${request.number} ended otherwise in the second run`);
      }
      return requestTree(followed, follower.directory);
    });
  }
}
