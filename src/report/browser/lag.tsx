/**
 * Endpoint-update lag: how often it was how long, which step costs, and which node lagged at which change.
 *
 * Owns: the distribution's curves, the stacked bars and the heat map's words.
 */
import type { JSX } from "preact";
import { count, duration } from "../../output/format.ts";
import type { LagModel } from "../model.ts";
import { HeatMap } from "./heatmap.tsx";
import { look, type Look } from "./palette.ts";
import { Figures, Hatch, Legend, Term, useReport, View } from "./parts.tsx";

export function LagView(): JSX.Element | null {
  const { lag, cluster } = useReport();
  if (lag.kinds.length === 0) return null;
  return (
    <View
      id="lag"
      title="How late nodes learnt"
      intro={
        <>
          <Term of="endpoint_update_lag.csv:lag_ns">Endpoint-update lag</Term>: from a change in the
          pod until a node's rules hold it.
        </>
      }
    >
      <div class="columns">
        <Distribution lag={lag} />
        <StageBars lag={lag} />
      </div>
      {lag.columns.length > 0 && (
        <HeatMap
          title="Lag by node and change"
          rows={cluster.nodes.map(({ name }) => name)}
          columns={lag.columns.map(({ label, atNs }) => `${label} at ${duration(atNs)}`)}
          cells={lag.cells}
          format={(ns) => duration(ns)}
          none="never in force there"
          rowTitle="nodes"
          columnTitle="changes"
        />
      )}
    </View>
  );
}

const WIDTH = 560;
const HEIGHT = 240;
const LEFT = 46;
const BOTTOM = 34;

/** Each kind of change: the share of updates that took at most so long, on a logarithmic axis. */
function Distribution({ lag: { kinds, atNs } }: { lag: LagModel }): JSX.Element | null {
  if (atNs.length === 0) return null;
  const least = Math.log10(atNs[0]!);
  const span = Math.max(0.01, Math.log10(atNs.at(-1)!) - least);
  const x = (ns: number): number => LEFT + ((Math.log10(ns) - least) / span) * (WIDTH - LEFT - 12);
  const y = (share: number): number => 10 + (1 - share) * (HEIGHT - BOTTOM - 10);
  const title = "Share of updates with at most that lag";
  return (
    <figure class="chart">
      <figcaption>{title}</figcaption>
      <svg
        class="cdf"
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={`${title}, by kind of change`}
      >
        {[0, 0.25, 0.5, 0.75, 1].map((share) => (
          <g key={share}>
            <line x1={LEFT} x2={WIDTH - 12} y1={y(share)} y2={y(share)} class="grid" />
            <text x={LEFT - 6} y={y(share) + 4} text-anchor="end">
              {share * 100} %
            </text>
          </g>
        ))}
        {ticksOf(atNs[0]!, atNs.at(-1)!).map((ns) => (
          <g key={ns}>
            <line x1={x(ns)} x2={x(ns)} y1="10" y2={HEIGHT - BOTTOM} class="grid" />
            <text x={x(ns)} y={HEIGHT - BOTTOM + 18} text-anchor="middle">
              {duration(ns).replace(".00", "").replace(".0", "")}
            </text>
          </g>
        ))}
        {kinds.map(({ kind, share }, i) => (
          <path
            key={kind}
            d={stairs(atNs, share, x, y)}
            fill="none"
            stroke={`var(${look(i).color})`}
            stroke-width="2.5"
            stroke-dasharray={look(i).dash.join(" ")}
          />
        ))}
      </svg>
      <Legend
        items={kinds.map(({ kind, changes, programmed }, i) => ({
          label: kind,
          look: look(i),
          shape: "line",
          of: "endpoint_update_lag.csv:change",
          value: `${count(changes)} changes, ${count(programmed)} updates`,
        }))}
      />
      <Figures
        caption={title}
        head={["Share", ...kinds.map(({ kind }) => kind)]}
        make={() =>
          [0.25, 0.5, 0.75, 0.9, 0.99, 1].map((wanted) => [
            `${wanted * 100} %`,
            ...kinds.map(({ share }) => {
              const place = share.findIndex((each) => each >= wanted - 1e-12);
              return place < 0 ? "-" : duration(atNs[place]!);
            }),
          ])
        }
      />
    </figure>
  );
}

function stairs(
  atNs: readonly number[],
  share: readonly number[],
  x: (ns: number) => number,
  y: (share: number) => number,
): string {
  const steps = atNs.map((ns, i) => `H${x(ns).toFixed(1)}V${y(share[i]!).toFixed(1)}`);
  return `M${x(atNs[0]!).toFixed(1)},${y(0).toFixed(1)}${steps.join("")}`;
}

/** Powers of ten; where there are few, their halves and fifths too. */
function ticksOf(least: number, most: number): number[] {
  const fine = most / least < 100 ? [1, 2, 5] : [1];
  const ticks: number[] = [];
  for (let power = 1; power <= most; power *= 10) {
    for (const each of fine) ticks.push(power * each);
  }
  return ticks.filter((ns) => ns >= least && ns <= most);
}

const BAR = 34;

/** Means of the stages, end to end: as long as the mean lag. */
function StageBars({ lag: { kinds } }: { lag: LagModel }): JSX.Element | null {
  const shown = kinds.filter(({ stages }) => stages.some(({ meanNs }) => (meanNs ?? 0) > 0));
  if (shown.length === 0) return null;
  const names = shown[0]!.stages.map(({ stage }) => stage);
  const used = names.filter((_, i) => shown.some(({ stages }) => (stages[i]?.meanNs ?? 0) > 0));
  const totals = shown.map(({ stages }) =>
    stages.reduce((sum, { meanNs }) => sum + (meanNs ?? 0), 0),
  );
  const most = Math.max(...totals);
  const looks = new Map(used.map((name, i) => [name, stageLook(i)]));
  return (
    <figure class="chart">
      <figcaption>Which step costs: the mean lag, stage by stage</figcaption>
      <svg
        class="stages"
        viewBox={`0 0 ${WIDTH} ${shown.length * (BAR + 22)}`}
        role="img"
        aria-label="Mean lag by stage, for each kind of change"
      >
        <defs>
          {used.map((name) => (
            <Hatch key={name} id={`stage-${name}`} look={looks.get(name)!} />
          ))}
        </defs>
        {shown.map(({ kind, stages }, row) => (
          <StageBar key={kind} {...{ kind, stages, row, most }} total={totals[row]!} />
        ))}
      </svg>
      <Legend
        items={used.map((name) => ({
          label: name,
          look: looks.get(name)!,
          shape: "fill",
          of: `endpoint_update_lag.csv:stage_${name}_ns`,
          value: shown
            .map(({ stages }) =>
              duration(roundedOf(stages.find(({ stage }) => stage === name)?.meanNs)),
            )
            .join(" / "),
        }))}
      />
      <Figures
        caption="Mean lag by stage"
        head={["Stage", ...shown.map(({ kind }) => kind)]}
        make={() =>
          names.map((name, i) => [
            name,
            ...shown.map(({ stages }) => duration(roundedOf(stages[i]?.meanNs))),
          ])
        }
      />
    </figure>
  );
}

function StageBar(props: {
  readonly kind: string;
  readonly stages: LagModel["kinds"][number]["stages"];
  readonly row: number;
  readonly total: number;
  readonly most: number;
}): JSX.Element {
  const { kind, stages, row, total, most } = props;
  let left = 0;
  return (
    <g transform={`translate(0 ${row * (BAR + 22)})`}>
      <text x="0" y="12">
        {kind}: {duration(Math.round(total))}
      </text>
      {stages.map(({ stage, meanNs }) => {
        if (meanNs === null || meanNs === 0) return null;
        const width = (meanNs / most) * WIDTH;
        const x = left;
        left += width;
        return (
          <rect
            key={stage}
            x={x}
            y="18"
            width={Math.max(1, width)}
            height={BAR - 4}
            fill={`url(#stage-${stage})`}
            stroke="var(--paper)"
          >
            <title>{`${stage}: ${duration(Math.round(meanNs))}`}</title>
          </rect>
        );
      })}
    </g>
  );
}

function stageLook(i: number): Look {
  return look(i);
}

function roundedOf(ns: number | null | undefined): number | null {
  return ns === null || ns === undefined ? null : Math.round(ns);
}
