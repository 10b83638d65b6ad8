/**
 * The cluster, and a replay of it: a slider over simulated time, and play.
 *
 * Owns: the controls, whose beliefs are looked at, and joining the drawing to the page. Refuses to own: the loop of frames
 * (replay.ts), the drawing (scene/) and what it says in words (wrong.tsx).
 */
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { count, duration } from "../../output/format.ts";
import type { Report } from "../model.ts";
import { Term, useReport, View } from "./parts.tsx";
import { binAt, playingOf, worstOf, type Playing } from "./playing.ts";
import { Replay } from "./replay.ts";
import { FLOWS_MAX } from "./scene/flows.ts";
import { Scene } from "./scene/scene.ts";
import { SceneLegend } from "./sceneLegend.tsx";
import { theme, useShared } from "./state.ts";
import { Choice } from "./timeline.tsx";
import { Wrong, WrongOverTime } from "./wrong.tsx";

/** Seconds that a whole run takes to be played. */
const PLAY_S = 40;
const SLIDER = 2_000;

export function ClusterView(): JSX.Element {
  const report = useReport();
  const { cluster, durationNs } = report;
  const playing = useMemo(() => playingOf(report), [report]);
  const replay = useMemo(() => new Replay(durationNs, worstOf(playing)), [playing, durationNs]);
  const [chosen, choose] = useState(0);
  return (
    <View id="cluster" title="The cluster, replayed" intro={intro(report)}>
      <Controls {...{ playing, replay, chosen, choose, durationNs }} />
      <WrongOverTime {...{ playing, durationNs, time: replay.time }} />
      <Slider {...{ replay, durationNs }} />
      <Drawing {...{ playing, replay, chosen, choose }} />
      <SceneLegend links={playing.links} hasCables={cluster.nodes.length <= 10} />
      <Wrong {...{ playing, time: replay.time, chosen: chosen - 1 }} />
      <FlowNotes {...{ playing }} />
    </View>
  );
}

function Slider({ replay, durationNs }: { replay: Replay; durationNs: number }): JSX.Element {
  const atNs = useShared(replay.time);
  return (
    <>
      <input
        type="range"
        class="slider"
        min="0"
        max={SLIDER}
        value={Math.round((atNs / durationNs) * SLIDER)}
        aria-label="Simulated time"
        aria-valuetext={duration(Math.round(atNs))}
        onInput={(event) => replay.seek((Number(event.currentTarget.value) / SLIDER) * durationNs)}
      />
      <p class="now" data-at={Math.round(atNs)}>
        <output>{(atNs / 1e9).toFixed(3)} s</output>
      </p>
    </>
  );
}

interface DrawingProps {
  readonly playing: Playing;
  readonly replay: Replay;
  readonly chosen: number;
  readonly choose: (i: number) => void;
}

function Drawing({ playing, replay, chosen, choose }: DrawingProps): JSX.Element {
  const { cluster, load } = useReport();
  const holder = useRef<HTMLDivElement>(null);
  const scene = useRef<Scene | null>(null);
  const [width, setWidth] = useState(0);
  const mode = useShared(theme);
  useEffect(() => {
    const observer = new ResizeObserver(() => setWidth(holder.current?.clientWidth ?? 0));
    observer.observe(holder.current!);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (width === 0) return undefined;
    const [still, dots] = holder.current!.querySelectorAll("canvas");
    const { beliefs, links } = playing;
    const layers = [still!, dots!] as const;
    const made = new Scene({ cluster, beliefs, links, width, chosen: chosen - 1, layers });
    scene.current = made;
    return replay.drawWith((atNs, clock) => {
      beliefs.seek(atNs);
      const bin = binAt(load.bins, atNs);
      const flows = playing.flows[bin] ?? [];
      made.draw({ atNs, bin, clock, flows, rates: playing.rates[bin] ?? [] });
    });
  }, [playing, width, mode, chosen]);
  const onClick = (event: MouseEvent): void => {
    const { left, top } = holder.current!.getBoundingClientRect();
    const node = scene.current?.nodeAt(event.clientX - left, event.clientY - top) ?? -1;
    choose(node + 1 === chosen ? 0 : node + 1);
  };
  return (
    <div
      class="scene"
      ref={holder}
      role="img"
      aria-label="Nodes with their pods and links, and connections between them. What is wrong in a node's rules is listed below."
      onClick={onClick}
    >
      <canvas />
      <canvas />
    </div>
  );
}

/** What the drawing leaves out of connections. */
function FlowNotes({ playing }: { playing: Playing }): JSX.Element {
  const { cluster, load } = useReport();
  return (
    <>
      {playing.flows.some(({ length }) => length === FLOWS_MAX) && (
        <p class="soft">
          Of the ways that connections took in a window the {FLOWS_MAX} with most are drawn, stale
          ones first.
        </p>
      )}
      {!cluster.flows.recorded && (
        <p class="soft">
          Who sent connections where was not recorded, so they are drawn from above only:{" "}
          <code>--report</code> records it. One bin of the drawing is{" "}
          {duration(load.bins.lengthNs[0] ?? 0)}.
        </p>
      )}
    </>
  );
}

interface ControlProps {
  readonly playing: Playing;
  readonly replay: Replay;
  readonly chosen: number;
  readonly choose: (i: number) => void;
  readonly durationNs: number;
}

function Controls({ playing, replay, chosen, choose, durationNs }: ControlProps): JSX.Element {
  const isPlaying = useShared(replay.isPlaying);
  const [speed, setSpeed] = useState(0);
  const { times, cluster } = playing;
  replay.factor = speeds(durationNs)[speed]![1];
  const jump = (way: 1 | -1): void => {
    const atNs = replay.time.value;
    const next = way > 0 ? times.find((ns) => ns > atNs) : times.findLast((ns) => ns < atNs);
    if (next !== undefined) replay.seek(next);
  };
  return (
    <div class="buttons replay" role="group" aria-label="Replay">
      <button
        type="button"
        class="main"
        onClick={() => (isPlaying ? replay.pause() : replay.play())}
      >
        {isPlaying ? "❚❚ Pause" : "▶ Play"}
      </button>
      <button type="button" onClick={() => jump(-1)}>
        Change before
      </button>
      <button type="button" onClick={() => jump(1)}>
        Next change
      </button>
      <Choice
        label="Speed"
        of={speeds(durationNs).map(([name]) => name)}
        chosen={speed}
        choose={setSpeed}
      />
      <Choice
        label="Beliefs of"
        of={["all nodes", ...cluster.nodes.map(({ name }) => name)]}
        {...{ chosen, choose }}
      />
    </div>
  );
}

function intro({ cluster }: Report): JSX.Element {
  return (
    <>
      {count(cluster.nodes.reduce((sum, each) => sum + each.count, 0))} nodes. A node with a heavy
      border and ▲ still{" "}
      <Term of="endpoint_update_lag.csv:programmed_at_ns">holds endpoints in its rules</Term> that
      can no longer be used; △ with a dashed border has not learnt of new ones. Choose a node to see
      its own beliefs.
    </>
  );
}

function speeds(durationNs: number): readonly (readonly [string, number])[] {
  return [
    [`all in ${PLAY_S} s`, durationNs / 1e9 / PLAY_S],
    ["as fast as real", 1],
    ["a tenth of it", 0.1],
    ["a hundredth", 0.01],
  ];
}
