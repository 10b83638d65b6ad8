/**
 * Nodes and links over time: how busy each was, how long packets waited there, and what was lost.
 *
 * Owns: the choice of hops and figure. Refuses to own: figures of the whole run (load.tsx).
 */
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { count, duration } from "../../output/format.ts";
import type { HopTrack } from "../model.ts";
import { TimeChart, type Series } from "./chart.tsx";
import { percent } from "./format.ts";
import { TimeHeatMap } from "./heatmap.tsx";
import { look } from "./palette.ts";
import { Term, useReport } from "./parts.tsx";
import type { TimeAxis } from "./state.ts";
import { Choice, secondsOf } from "./timeline.tsx";

interface Figure {
  readonly of: Exclude<keyof HopTrack, "title" | "rows">;
  readonly title: string;
  readonly column: string;
  readonly format: (value: number) => string;
}

const figures: readonly Figure[] = [
  { of: "utilisation", title: "utilisation", column: "utilisation", format: percent },
  {
    of: "queueP99Ns",
    title: "time in the queue, p99",
    column: "queue_p99_ns",
    format: (ns) => duration(Math.round(ns)),
  },
  { of: "packets", title: "packets a window", column: "packets", format: rounded },
  { of: "drops", title: "dropped packets a window", column: "drops", format: rounded },
];

function rounded(value: number): string {
  return count(Math.round(value));
}

/** Lines that can still be told apart. */
const LINES = 6;

export function HopLoadView({ axis }: { axis: TimeAxis }): JSX.Element {
  const { load } = useReport();
  const [chosen, choose] = useState(0);
  const [figureChosen, chooseFigure] = useState(0);
  const figure = figures[figureChosen]!;
  const track = load.tracks[chosen];
  return (
    <div>
      <h3>Nodes and links over time</h3>
      {track === undefined ? (
        <p class="soft">
          What each hop did in each window was not recorded: <code>--report</code> records it.
        </p>
      ) : (
        <>
          <div class="choices">
            <Choice
              label="Hops"
              of={load.tracks.map(({ title }) => title)}
              {...{ chosen, choose }}
            />
            <Choice
              label="Their"
              of={figures.map(({ title }) => title)}
              chosen={figureChosen}
              choose={chooseFigure}
            />
          </div>
          <p class="intro">
            <Term of={`hop_load.csv:${figure.column}`}>{figure.title}</Term> of {track.title}.
          </p>
          <Busiest {...{ axis, track, figure }} />
          <TimeHeatMap
            title={`${track.title}: ${figure.title}`}
            {...{ axis }}
            bins={load.bins}
            rows={track.rows}
            cells={track[figure.of]}
            format={figure.format}
            none={track[figure.of].includes(-1) ? "nothing waits there" : ""}
            rowTitle="hops"
          />
        </>
      )}
    </div>
  );
}

/** The few that had most of it at any time, as lines on the shared axis. */
function Busiest({
  axis,
  track,
  figure,
}: {
  axis: TimeAxis;
  track: HopTrack;
  figure: Figure;
}): JSX.Element | null {
  const { load } = useReport();
  const x = useMemo(() => secondsOf(load.bins), [load]);
  const series = useMemo(() => {
    const values = track[figure.of];
    const rows = track.rows.map((label, row) => {
      const own = values.slice(row * x.length, (row + 1) * x.length);
      return { label, own, most: own.reduce((a, b) => Math.max(a, b), 0) };
    });
    return rows
      .filter(({ most }) => most > 0)
      .sort((a, b) => b.most - a.most)
      .slice(0, LINES)
      .map(({ label, own }, i): Series => ({
        label,
        values: own.map((value) => (value < 0 ? 0 : value)),
        look: look(i),
        kind: "step",
      }));
  }, [track, figure, x]);
  if (series.length === 0) return null;
  const title =
    series.length < track.rows.length
      ? `The ${series.length} with most of it: ${figure.title}`
      : figure.title;
  return <TimeChart {...{ title, axis, x, series }} format={figure.format} />;
}
