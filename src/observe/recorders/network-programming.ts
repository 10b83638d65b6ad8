/**
 * network_programming_latency.csv: by the Kubernetes SLI's definition, and as kube-proxy's own metric shows it.
 *
 * Owns: both figures, by node and five minutes. The SLI is defined for one programmer, the proxy of a node: "measured from when service spec or
 * list of its Ready pods change to when it is reflected in load balancing mechanism, measured as 99th percentile over
 * last 5 minutes"; the SLO takes the 99th percentile of these over all programmers (kubernetes/community,
 * sig-scalability/slos/network_programming_latency.md). kube-proxy's metric is a histogram of what the slices'
 * trigger times say (kubeproxy_network_programming_duration_seconds; timings §7.3): those are whole seconds, the oldest
 * of a batch, and absent for removals. Refuses to own: when anything was programmed (../changes.ts).
 */
import { minutes, seconds, type DurationNs, type SimTimeNs } from "../../engine/index.ts";
import type { Changes } from "../changes.ts";
import type { Directory } from "../directory.ts";
import { columnsOf } from "../metrics.ts";
import { quantile } from "../quantiles.ts";
import type { Recorder, RecordingContext, Row, Table } from "../recorder.ts";
import type { RunTotals } from "../totals.ts";

const file = "network_programming_latency.csv";

const SLI_WINDOW_NS = minutes(5);

/** Upper bounds: 0.25, 0.5, each second to a minute, each five to two minutes, each thirty to five (timings §7.3). */
export const NETWORK_PROGRAMMING_BUCKETS_S: readonly number[] = [
  0.25,
  0.5,
  ...Array.from({ length: 59 }, (_, i) => i + 1),
  ...Array.from({ length: 12 }, (_, i) => 60 + 5 * i),
  ...Array.from({ length: 7 }, (_, i) => 120 + 30 * i),
];

const BOUNDS_NS = NETWORK_PROGRAMMING_BUCKETS_S.map((boundS) => seconds(boundS));

/** Five minutes of one node. */
interface Window {
  readonly node: number;
  readonly startNs: SimTimeNs;
  /** Of kube-proxy's histogram; the last bucket is for what no bound holds. Absent without a sample. */
  metric?: number[];
  /** Of the SLI; filled in at the end. */
  readonly lagsNs: DurationNs[];
}

export class NetworkProgramming implements Recorder {
  readonly #changes: Changes;
  readonly #directory: Directory;
  private readonly metricWindows = new Windows();

  constructor(changes: Changes, directory: Directory) {
    this.#changes = changes;
    this.#directory = directory;
  }

  networkProgrammed(node: number, triggerNs: SimTimeNs, atNs: SimTimeNs): void {
    const window = this.metricWindows.at(node, atNs);
    window.metric ??= Array.from({ length: BOUNDS_NS.length + 1 }, () => 0);
    let bucket = 0;
    while (bucket < BOUNDS_NS.length && atNs - triggerNs > BOUNDS_NS[bucket]!) bucket++;
    window.metric[bucket]!++;
  }

  tables({ endNs }: RecordingContext): readonly Table[] {
    const rows = { [Symbol.iterator]: () => this.#rows(endNs) };
    return [{ file, columns: columnsOf(file), rows }];
  }

  totals(): Partial<RunTotals> {
    const windows = this.#windows();
    if (windows.length === 0) return {};
    const lags = windows.flatMap(({ lagsNs }) => lagsNs);
    const p99s = windows.flatMap(({ lagsNs }) => (lagsNs.length === 0 ? [] : [of(lagsNs, 0.99)!]));
    const metric = NETWORK_PROGRAMMING_BUCKETS_S.concat(0).map((_bound, i) =>
      windows.reduce((sum, window) => sum + (window.metric?.[i] ?? 0), 0),
    );
    return {
      networkProgrammingLatency: {
        sli: { samples: lags.length, p50Ns: of(lags, 0.5), p99Ns: of(p99s, 0.99) },
        kubeProxyMetric: {
          samples: metric.reduce((sum, each) => sum + each, 0),
          p50Ns: histogramQuantile(0.5, metric),
          p99Ns: histogramQuantile(0.99, metric),
        },
      },
    };
  }

  *#rows(endNs: SimTimeNs): Generator<Row> {
    for (const { node, startNs, lagsNs, metric = [] } of this.#windows()) {
      yield [
        this.#directory.nodes[node]!,
        startNs,
        Math.min(SLI_WINDOW_NS, endNs - startNs),
        lagsNs.length,
        of(lagsNs, 0.5),
        of(lagsNs, 0.99),
        metric.reduce((sum, each) => sum + each, 0),
        histogramQuantile(0.5, metric),
        histogramQuantile(0.99, metric),
      ];
    }
  }

  /** By time, then by node. */
  #windows(): Window[] {
    const windows = new Windows();
    for (const [id, { changedAtNs }] of this.#changes.records.entries()) {
      // The list of ready pods changes as the kubelet sees it, or as the deletion does.
      const sinceNs = this.#changes.seenAtNs(id) ?? changedAtNs;
      for (let node = 0; node < this.#directory.nodes.length; node++) {
        const atNs = this.#changes.programmedAtNs(id, node);
        if (atNs !== null) windows.at(node, atNs).lagsNs.push(atNs - sinceNs);
      }
    }
    for (const { node, startNs, metric } of this.metricWindows.all()) {
      const window = windows.at(node, startNs);
      if (metric !== undefined) window.metric = metric;
    }
    return [...windows.all()].sort((a, b) => a.startNs - b.startNs || a.node - b.node);
  }
}

/** Made when they are first asked for. */
class Windows {
  /** By the number of the window, then by node. */
  readonly #byNumber = new Map<number, Map<number, Window>>();

  at(node: number, atNs: SimTimeNs): Window {
    const number = Math.floor(atNs / SLI_WINDOW_NS);
    let ofNodes = this.#byNumber.get(number);
    if (ofNodes === undefined) this.#byNumber.set(number, (ofNodes = new Map()));
    let window = ofNodes.get(node);
    if (window === undefined) {
      window = { node, startNs: number * SLI_WINDOW_NS, lagsNs: [] };
      ofNodes.set(node, window);
    }
    return window;
  }

  *all(): Generator<Window> {
    for (const ofNodes of this.#byNumber.values()) yield* ofNodes.values();
  }
}

/** null of nothing. */
function of(values: readonly DurationNs[], q: number): DurationNs | null {
  return values.length === 0 ? null : quantile(Float64Array.from(values).sort(), q);
}

/**
 * Prometheus' histogram_quantile(): linear inside the bucket; the highest finite bound beyond it.
 * @param counts by bucket, not cumulative
 */
export function histogramQuantile(q: number, counts: readonly number[]): DurationNs | null {
  const samples = counts.reduce((sum, each) => sum + each, 0);
  if (samples === 0) return null;
  const rank = q * samples;
  let below = 0;
  for (const [i, boundS] of NETWORK_PROGRAMMING_BUCKETS_S.entries()) {
    const count = counts[i]!;
    if (count > 0 && below + count >= rank) {
      const fromS = i === 0 ? 0 : NETWORK_PROGRAMMING_BUCKETS_S[i - 1]!;
      return Math.round(seconds(1) * (fromS + (boundS - fromS) * ((rank - below) / count)));
    }
    below += count;
  }
  return seconds(NETWORK_PROGRAMMING_BUCKETS_S.at(-1)!);
}
