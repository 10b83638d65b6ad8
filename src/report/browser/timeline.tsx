/**
 * What happened when, on one time axis: traffic, failures, latency, ready endpoints, faults.
 *
 * Owns: which charts there are, and the buttons that move all of them.
 */
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { count, duration } from "../../output/format.ts";
import { readySteps } from "../belief.ts";
import type { Bins, Report } from "../model.ts";
import { markLetter, TimeChart, type Series } from "./chart.tsx";
import { look } from "./palette.ts";
import { useReport, View } from "./parts.tsx";
import { useShared, type TimeAxis } from "./state.ts";
import { causeLook } from "./verdict.tsx";

/** More nodes than these are a band rather than lines. */
const NODE_LINES = 8;

export function TimelineView({ axis }: { axis: TimeAxis }): JSX.Element {
  const report = useReport();
  const x = useMemo(() => secondsOf(report.bins), [report]);
  const traffic = useMemo(() => trafficSeries(report), [report]);
  const failures = useMemo(() => failureSeries(report), [report]);
  return (
    <View
      id="timeline"
      title="What happened when"
      intro="Drag over a chart to look closer, double-click to see all; every chart shows the same stretch of time."
    >
      <AxisButtons axis={axis} />
      <Marks axis={axis} />
      {hasValues(traffic) ? (
        <TimeChart
          title="Requests a second, by how they ended"
          {...{ axis, x, series: traffic, isStacked: true }}
          format={(value) => count(Math.round(value))}
          isWhole
        />
      ) : (
        <p>No request ended in this run.</p>
      )}
      {failures.length > 0 && (
        <TimeChart
          title="Failed requests a window, by cause"
          {...{ axis, x, series: failures, isStacked: true }}
          format={(value) => count(Math.round(value))}
          isWhole
        />
      )}
      <Latency axis={axis} x={x} />
      <Ready axis={axis} />
    </View>
  );
}

/** Whether there is anything to draw. */
export function hasValues(series: readonly Series[]): boolean {
  return series.some(({ values }) => values.some((value) => value !== null && value !== 0));
}

export function secondsOf({ startNs }: Bins): number[] {
  return startNs.map((ns) => ns / 1e9);
}

/** Each with a choice of what is shown, which stays on the page. */
export function Choice(props: {
  readonly label: string;
  readonly of: readonly string[];
  readonly chosen: number;
  readonly choose: (i: number) => void;
}): JSX.Element | null {
  if (props.of.length < 2) return null;
  return (
    <label class="choice">
      {props.label}{" "}
      <select
        value={props.chosen}
        onChange={(event) => props.choose(Number(event.currentTarget.value))}
      >
        {props.of.map((name, i) => (
          <option key={i} value={i}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

function AxisButtons({ axis }: { axis: TimeAxis }): JSX.Element {
  const { from, to } = useShared(axis.range);
  const text = (seconds: number): string =>
    seconds === 0 ? "0 s" : duration(Math.round(seconds * 1e9));
  return (
    <div class="buttons" role="toolbar" aria-label="Time axis">
      <button type="button" onClick={() => axis.zoom(0.5)}>
        Zoom in
      </button>
      <button type="button" onClick={() => axis.zoom(2)}>
        Zoom out
      </button>
      <button type="button" aria-label="Earlier" onClick={() => axis.pan(-0.25)}>
        ◀
      </button>
      <button type="button" aria-label="Later" onClick={() => axis.pan(0.25)}>
        ▶
      </button>
      <button type="button" onClick={() => axis.all()}>
        All
      </button>
      <span class="shown" aria-live="polite">
        {text(from)} to {text(to)}
      </span>
    </div>
  );
}

function Marks({ axis }: { axis: TimeAxis }): JSX.Element | null {
  const { marks, durationNs } = useReport();
  if (marks.length === 0) return null;
  return (
    <div class="marks">
      <h3>Faults</h3>
      <ul>
        {marks.map(({ fromNs, toNs, label }, i) => {
          const until = toNs >= durationNs ? " to the end" : ` to ${duration(toNs)}`;
          const margin = Math.max((toNs - fromNs) * 0.25, durationNs * 0.05);
          return (
            <li key={i}>
              <button
                type="button"
                onClick={() => axis.show((fromNs - margin) / 1e9, (toNs + margin) / 1e9)}
              >
                <b>{markLetter(i)}</b> {duration(fromNs)}
                {toNs > fromNs && until}: {label}
              </button>
            </li>
          );
        })}
      </ul>
    </div>
  );
}

function trafficSeries({ clients, bins }: Report): Series[] {
  const own = clients.filter(({ isCall }) => !isCall);
  const rate = (of: "served" | "failed"): number[] =>
    bins.lengthNs.map((ns, i) => own.reduce((sum, each) => sum + each[of][i]!, 0) / (ns / 1e9));
  const of = "requests.csv:outcome";
  return [
    {
      label: "failed",
      values: rate("failed"),
      look: { color: "--alarm", dash: [], hatch: 1 },
      kind: "bars",
      of,
    },
    { label: "served", values: rate("served"), look: look(0), kind: "bars", of },
  ];
}

function failureSeries({ causes, verdict }: Report): Series[] {
  const order = verdict.causes.map(({ cause }) => cause);
  return causes
    .toSorted((a, b) => order.indexOf(a.cause) - order.indexOf(b.cause))
    .map(({ cause, counts }) => ({
      label: cause.replaceAll("_", " "),
      values: counts,
      look: causeLook(Math.max(0, order.indexOf(cause))),
      kind: "bars",
      of: "failures.csv:cause",
    }));
}

function Latency({ axis, x }: { axis: TimeAxis; x: readonly number[] }): JSX.Element | null {
  const { clients } = useReport();
  const [chosen, choose] = useState(0);
  const client = clients[chosen];
  const series = useMemo(
    () =>
      (["p50Ns", "p90Ns", "p99Ns"] as const).map((name, i): Series => {
        const label = name.replace("Ns", "");
        const values = client?.[name] ?? [];
        return {
          label,
          values,
          look: look([0, 1, 4][i]!),
          kind: "line",
          of: `requests.csv:latency_${label}_ns`,
        };
      }),
    [client],
  );
  if (client === undefined) return null;
  return (
    <>
      <Choice
        label="Latency of client"
        of={clients.map(({ name, service }) => `${name} to ${service}`)}
        {...{ chosen, choose }}
      />
      {hasValues(series) ? (
        <TimeChart
          title={`Latency of served requests, ${client.name} to ${client.service}`}
          {...{ axis, x, series, isLog: true }}
          format={(ns) => duration(Math.round(ns))}
        />
      ) : (
        <p>
          No request of {client.name} to {client.service} was served: there is no latency.
        </p>
      )}
    </>
  );
}

function Ready({ axis }: { axis: TimeAxis }): JSX.Element | null {
  const { cluster, durationNs } = useReport();
  const used = useMemo(
    () => [...new Set(cluster.endpoints.map(({ service }) => service))],
    [cluster],
  );
  const [chosen, choose] = useState(0);
  const service = used[chosen];
  const { x, series } = useMemo(() => {
    if (service === undefined) return { x: [], series: [] };
    const steps = readySteps(cluster, service, durationNs, NODE_LINES);
    return { x: steps.atNs.map((ns) => ns / 1e9), series: readySeries(steps, cluster.nodes) };
  }, [cluster, service, durationNs]);
  if (service === undefined) return null;
  return (
    <>
      <Choice
        label="Endpoints of Service"
        of={used.map((each) => cluster.services[each]!)}
        {...{ chosen, choose }}
      />
      <TimeChart
        title={`Ready endpoints of ${cluster.services[service]}, in truth and as nodes see them`}
        {...{ axis, x, series }}
        height={200}
        format={(value) => (Number.isInteger(value) ? count(value) : "")}
      />
    </>
  );
}

function readySeries(
  steps: ReturnType<typeof readySteps>,
  nodes: Report["cluster"]["nodes"],
): Series[] {
  const of = "endpoint_update_lag.csv:programmed_at_ns";
  const own: Series[] =
    steps.nodes.length > 0
      ? steps.nodes.map((values, i) => ({
          label: nodes[i]!.name,
          values,
          look: look(i + 1),
          kind: "step",
          width: 1.5,
          of,
        }))
      : [
          { label: "node that sees most", values: steps.most, look: look(1), kind: "step", of },
          { label: "node that sees least", values: steps.least, look: look(2), kind: "step", of },
        ];
  const truth: Series = {
    label: "in truth",
    values: steps.truth,
    look: { color: "--ink", dash: [], hatch: 0 },
    kind: "step",
    width: 3,
    of: "endpoint_update_lag.csv:changed_at_ns",
  };
  return [truth, ...own];
}
