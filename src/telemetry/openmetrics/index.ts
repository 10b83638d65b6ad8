/**
 * `--metrics`: the run as Prometheus would have scraped it.
 *
 * Owns: putting collector and text together.
 */
import type { DurationNs } from "../../engine/index.ts";
import type { Run } from "../../scenario/compile.ts";
import type { ResolvedScenario } from "../../scenario/resolved.ts";
import type { Instrument } from "../contract.ts";
import { MetricsCollector } from "./collector.ts";
import { openMetricsText } from "./text.ts";

/** @param everyNs from one scrape to the next; null: a scrape at the end of each metrics window */
export function openMetrics(
  path: string,
  { name, seed, windowNs, profile }: ResolvedScenario,
  everyNs: DurationNs | null,
): Instrument {
  const { version: kubernetes, kubeProxy } = profile.kubernetes;
  const collector = new MetricsCollector({
    scenario: name,
    seed,
    kubernetes,
    mode: kubeProxy.mode,
    everyNs: everyNs ?? windowNs,
  });
  let run: Run | null = null;
  return {
    paths: [path],
    observers: collector.observers,
    attach(attached) {
      run = attached;
      collector.attach(attached.stack.network);
    },
    content() {
      if (run !== null) collector.finish(run.nowNs);
      return openMetricsText(collector.registry);
    },
  };
}
