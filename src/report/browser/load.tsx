/**
 * Load: of each endpoint over time, how even it was, and of the hops that packets cross.
 *
 * Owns: the choice of Service and figure, and the bars of utilisation.
 */
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { count, duration, ratio } from "../../output/format.ts";
import { skewIndices, type HopModel, type Report } from "../model.ts";
import { TimeChart, type Series } from "./chart.tsx";
import { HopLoadView } from "./hopLoad.tsx";
import { TimeHeatMap } from "./heatmap.tsx";
import { percent } from "./format.ts";
import { look } from "./palette.ts";
import { Table, Term, useReport, View } from "./parts.tsx";
import { Choice, hasValues, secondsOf } from "./timeline.tsx";
import type { TimeAxis } from "./state.ts";

export function LoadView({ axis }: { axis: TimeAxis }): JSX.Element {
  const { load, cluster } = useReport();
  const [chosen, choose] = useState(0);
  const skew = load.skew[chosen];
  return (
    <View id="load" title="How even the load was, and where it waited">
      <Choice
        label="Load of Service"
        of={load.skew.map(({ service }) => cluster.services[service]!)}
        {...{ chosen, choose }}
      />
      {skew !== undefined && <EndpointLoad axis={axis} service={skew.service} />}
      {skew !== undefined && <Skew axis={axis} skew={skew} />}
      <HopLoadView axis={axis} />
      <Hops hops={load.hops} />
      <Drops />
    </View>
  );
}

const measures = [
  ["requests", "requests.csv", "endpoint_load.csv:requests"],
  ["inFlight", "requests in progress, mean", "endpoint_load.csv:in_flight_mean"],
  [
    "stale",
    "connections to it when it was no longer usable",
    "endpoint_load.csv:stale_connections",
  ],
] as const;
const measureNames = ["requests a window", measures[1][1], measures[2][1]];

function EndpointLoad({ axis, service }: { axis: TimeAxis; service: number }): JSX.Element {
  const { load, cluster } = useReport();
  const [chosen, choose] = useState(0);
  const [measure, , of] = measures[chosen]!;
  const { rows, cells } = useMemo(
    () => endpointCells(load, cluster, service, measure),
    [load, cluster, service, measure],
  );
  return (
    <>
      <Choice label="Figure" of={measureNames} {...{ chosen, choose }} />
      <p class="intro">
        <Term of={of}>{measureNames[chosen]}</Term> of each endpoint of {cluster.services[service]},
        window by window.
      </p>
      <TimeHeatMap
        title={`Load per endpoint over time: ${measureNames[chosen]}`}
        {...{ axis, rows, cells }}
        bins={load.bins}
        format={(value) => (Number.isInteger(value) ? count(value) : ratio(value))}
        none=""
        rowTitle="endpoints"
      />
    </>
  );
}

/** Before its first and after its last request an endpoint's row is blank. */
function endpointCells(
  load: Report["load"],
  { endpoints }: Report["cluster"],
  service: number,
  measure: "requests" | "inFlight" | "stale",
): { rows: string[]; cells: number[] } {
  const bins = load.bins.startNs.length;
  const rows: string[] = [];
  const cells: number[] = [];
  for (const [i, endpoint] of load.endpoint.entries()) {
    const { service: own, address, pod } = endpoints[endpoint]!;
    if (own !== service) continue;
    const seen = load.requests.slice(i * bins, (i + 1) * bins);
    const first = seen.findIndex((each) => each > 0);
    const last = seen.findLastIndex((each) => each > 0);
    rows.push(`${address} ${pod.replace(/^[^/]*\//, "")}`);
    const values = load[measure].slice(i * bins, (i + 1) * bins);
    cells.push(
      ...values.map((value, bin) => (value === 0 && (bin < first || bin > last) ? -2 : value)),
    );
  }
  return { rows, cells };
}

const indexWords: Readonly<Record<(typeof skewIndices)[number], string>> = {
  max_over_mean: "max/mean",
  cv: "coefficient of variation",
  jain: "Jain",
  gini: "Gini",
  kolmogorov: "Kolmogorov",
};

function Skew({
  axis,
  skew,
}: {
  axis: TimeAxis;
  skew: Report["load"]["skew"][number];
}): JSX.Element | null {
  const { load, cluster } = useReport();
  const x = useMemo(() => secondsOf(load.bins), [load]);
  const series = useMemo(
    () =>
      skewIndices.map((name, i): Series => ({
        label: indexWords[name],
        values: skew.indices[name],
        look: look(i),
        kind: "line",
        of: `load_skew.csv:${name}`,
      })),
    [skew],
  );
  if (!hasValues(series)) return null;
  return (
    <TimeChart
      title={`Skew of ${cluster.services[skew.service]}`}
      {...{ axis, x, series }}
      format={(value) => ratio(value)}
    />
  );
}

const HOPS_SHOWN = 25;

function Hops({ hops }: { hops: readonly HopModel[] }): JSX.Element {
  const kinds = useMemo(() => ["all", ...new Set(hops.map(({ kind }) => kind))], [hops]);
  const [chosen, choose] = useState(0);
  const own = chosen === 0 ? hops : hops.filter(({ kind }) => kind === kinds[chosen]);
  const most = Math.max(0.000_001, ...own.map(({ utilisation }) => utilisation ?? 0));
  return (
    <div>
      <h3>Hops of the whole run</h3>
      <Choice label="Hops of kind" of={kinds} {...{ chosen, choose }} />
      <Table
        caption={
          own.length > HOPS_SHOWN
            ? `The first ${HOPS_SHOWN} of ${count(own.length)} hops: those that dropped packets first, then the busiest`
            : "Hops: those that dropped packets first, then the busiest"
        }
        head={[
          "Hop",
          "Kind",
          <Term of="hops.csv:utilisation">Utilisation</Term>,
          <Term of="hops.csv:queue_p99_ns">Queue p99</Term>,
          <Term of="hops.csv:packets">Packets</Term>,
          <Term of="hops.csv:drops">Drops</Term>,
        ]}
        rows={own
          .slice(0, HOPS_SHOWN)
          .map((hop) => [
            hop.hop,
            hop.kind,
            <Bar share={hop.utilisation} most={most} />,
            hop.queueP99Ns === null ? "-" : duration(hop.queueP99Ns),
            count(hop.packets),
            hop.drops === 0 ? "0" : <strong class="alarm">{count(hop.drops)}</strong>,
          ])}
      />
    </div>
  );
}

function Bar({ share, most }: { share: number | null; most: number }): JSX.Element {
  if (share === null) return <span>no finite rate</span>;
  return (
    <span class="bar">
      <svg width="90" height="10" aria-hidden="true">
        <rect width="90" height="10" class="trough" />
        <rect width={(90 * share) / most} height="10" class="level" />
      </svg>{" "}
      {percent(share)}
    </span>
  );
}

function Drops(): JSX.Element {
  const { load } = useReport();
  if (load.drops.length === 0) return <p>No packet was dropped.</p>;
  return (
    <Table
      caption="Dropped packets"
      head={[<Term of="hops.csv:drop_cause">Cause</Term>, "Packets", "Most at"]}
      rows={load.drops.map(({ cause, packets, worstHop }) => [
        cause.replaceAll("_", " "),
        count(packets),
        worstHop,
      ])}
    />
  );
}
