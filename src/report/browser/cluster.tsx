/**
 * The cluster, and a replay of it: a slider over simulated time, and play.
 *
 * Owns: time of the replay, whose beliefs are looked at, and saying in words what the drawing shows.
 */
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { count, duration } from "../../output/format.ts";
import { Beliefs } from "../belief.ts";
import type { Report } from "../model.ts";
import { Term, useReport, View } from "./parts.tsx";
import { FLOWS_MAX, flowsByBin, paintsOf, podShape, Scene, type Flow } from "./scene.ts";
import { theme, useShared } from "./state.ts";
import { Choice } from "./timeline.tsx";

/** Seconds that a whole run takes to be played. */
const PLAY_S = 40;
const SLIDER = 2_000;
/** Words follow more slowly than the drawing. */
const WORDS_MS = 150;

interface Playing {
  readonly cluster: Report["cluster"];
  readonly beliefs: Beliefs;
  readonly flows: readonly (readonly Flow[])[];
  readonly rates: readonly (readonly number[])[];
  readonly times: readonly number[];
}

export function ClusterView(): JSX.Element | null {
  const report = useReport();
  const { cluster, durationNs } = report;
  const playing = useMemo(() => playingOf(report), [report]);
  const [atNs, setAtNs] = useState(() => worstOf(playing));
  const [isPlaying, setPlaying] = useState(false);
  const [speed, setSpeed] = useState(0);
  const [chosen, choose] = useState(0);
  const canvas = useRef<HTMLCanvasElement>(null);
  const draw = useScene(canvas, playing, report, chosen - 1, atNs);
  usePlay({
    isPlaying,
    atNs,
    durationNs,
    factor: speeds(durationNs)[speed]![1],
    draw,
    setAtNs,
    stop: () => setPlaying(false),
  });
  if (cluster.nodes.length === 0) return null;
  const jump = (way: 1 | -1): void => {
    const next =
      way > 0 ? playing.times.find((ns) => ns > atNs) : playing.times.findLast((ns) => ns < atNs);
    if (next !== undefined) setAtNs(next);
  };
  return (
    <View id="cluster" title="The cluster, replayed" intro={intro(report)}>
      <Controls
        {...{ isPlaying, setPlaying, jump, speed, setSpeed, chosen, choose, durationNs }}
        nodes={cluster.nodes.map(({ name }) => name)}
      />
      <WrongOverTime playing={playing} durationNs={durationNs} atNs={atNs} />
      <input
        type="range"
        class="slider"
        min="0"
        max={SLIDER}
        value={Math.round((atNs / durationNs) * SLIDER)}
        aria-label="Simulated time"
        aria-valuetext={duration(Math.round(atNs))}
        onInput={(event) => setAtNs((Number(event.currentTarget.value) / SLIDER) * durationNs)}
      />
      <p class="now" data-at={Math.round(atNs)}>
        <output>{(atNs / 1e9).toFixed(3)} s</output>
      </p>
      <div class="scene">
        <canvas
          ref={canvas}
          role="img"
          aria-label="Nodes with their pods, and connections between them. What is wrong in a node's rules is listed below."
          onClick={(event) => {
            const node = nodeUnder(event, canvas.current!, report.cluster, playing);
            choose(node + 1 === chosen ? 0 : node + 1);
          }}
        />
      </div>
      <SceneLegend />
      <Wrong {...{ playing, atNs, chosen: chosen - 1 }} />
      <FlowNotes {...{ playing }} />
    </View>
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
  readonly isPlaying: boolean;
  readonly setPlaying: (isPlaying: boolean) => void;
  readonly jump: (way: 1 | -1) => void;
  readonly speed: number;
  readonly setSpeed: (i: number) => void;
  readonly chosen: number;
  readonly choose: (i: number) => void;
  readonly durationNs: number;
  readonly nodes: readonly string[];
}

function Controls(props: ControlProps): JSX.Element {
  const { isPlaying, setPlaying, jump, speed, setSpeed, chosen, choose, durationNs, nodes } = props;
  return (
    <div class="buttons replay" role="group" aria-label="Replay">
      <button type="button" class="main" onClick={() => setPlaying(!isPlaying)}>
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
      <Choice label="Beliefs of" of={["all nodes", ...nodes]} chosen={chosen} choose={choose} />
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

function playingOf(report: Report): Playing {
  const { cluster, load } = report;
  const beliefs = new Beliefs(cluster);
  const rates = load.bins.startNs.map(() => cluster.services.map(() => 0));
  const { bin, service, connections } = cluster.flows;
  for (const [i, each] of bin.entries()) {
    rates[each]![service[i]!]! += connections[i]! / ((load.bins.lengthNs[each] ?? 1) / 1e9);
  }
  const times = [...new Set(beliefs.timesNs)].filter((ns) => ns <= report.durationNs);
  return { cluster, beliefs, flows: flowsByBin(report), rates, times };
}

/** When most is wrong: what a report is opened for. */
function worstOf({ cluster, times }: Playing): number {
  const beliefs = new Beliefs(cluster);
  let [worst, most] = [times[0] ?? 0, 0];
  for (const ns of times) {
    beliefs.seek(ns);
    const wrong = beliefs.stale.reduce((sum, each) => sum + each, 0);
    if (wrong > most) [worst, most] = [ns, wrong];
  }
  return worst;
}

type Draw = (atNs: number, clock: number) => void;

/** Draws what is shown whenever it changes; while it plays, whoever plays does. */
function useScene(
  canvas: { readonly current: HTMLCanvasElement | null },
  playing: Playing,
  { load }: Report,
  chosen: number,
  atNs: number,
): Draw {
  const [width, setWidth] = useState(0);
  const mode = useShared(theme);
  const draw = useRef<Draw>(() => {});
  useEffect(() => {
    const parent = canvas.current?.parentElement;
    if (parent === null || parent === undefined) return undefined;
    const observer = new ResizeObserver(() => setWidth(Math.floor(parent.clientWidth)));
    observer.observe(parent);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const element = canvas.current;
    if (element === null || width === 0) return;
    const pen = element.getContext("2d")!;
    const scene = new Scene(playing.cluster, playing.beliefs, width, pen);
    const scale = devicePixelRatio;
    element.width = width * scale;
    element.height = scene.layout.height * scale;
    element.style.width = `${width}px`;
    element.style.height = `${scene.layout.height}px`;
    pen.scale(scale, scale);
    draw.current = (now, clock) => {
      playing.beliefs.seek(now);
      const bin = binAt(load.bins, now);
      scene.draw(pen, {
        atNs: now,
        bin,
        clock,
        flows: playing.flows[bin] ?? [],
        rates: playing.rates[bin] ?? [],
        chosen,
      });
    };
    draw.current(atNs, 0);
  }, [playing, width, mode, chosen]);
  useEffect(() => draw.current(atNs, 0), [atNs]);
  return (now, clock) => draw.current(now, clock);
}

function binAt({ startNs }: Report["load"]["bins"], atNs: number): number {
  const width = startNs.length > 1 ? startNs[1]! : Infinity;
  return Math.min(startNs.length - 1, Math.floor(atNs / width));
}

interface Play {
  readonly isPlaying: boolean;
  readonly atNs: number;
  readonly durationNs: number;
  /** Simulated seconds in a real one. */
  readonly factor: number;
  readonly draw: Draw;
  readonly setAtNs: (atNs: number) => void;
  readonly stop: () => void;
}

function usePlay({ isPlaying, atNs, durationNs, factor, draw, setAtNs, stop }: Play): void {
  const now = useRef(atNs);
  now.current = isPlaying ? now.current : atNs;
  useEffect(() => {
    if (!isPlaying) return undefined;
    if (now.current >= durationNs) now.current = 0;
    let [last, said, frame] = [performance.now(), 0, 0];
    const step = (time: number): void => {
      now.current = Math.min(durationNs, now.current + Math.max(0, time - last) * 1e6 * factor);
      last = time;
      draw(now.current, time / 1000);
      if (time - said > WORDS_MS) {
        said = time;
        setAtNs(now.current);
      }
      if (now.current < durationNs) frame = requestAnimationFrame(step);
      else {
        setAtNs(durationNs);
        stop();
      }
    };
    frame = requestAnimationFrame(step);
    return () => {
      cancelAnimationFrame(frame);
      setAtNs(now.current);
    };
  }, [isPlaying, factor, draw]);
}

function nodeUnder(
  event: MouseEvent,
  canvas: HTMLCanvasElement,
  cluster: Report["cluster"],
  { beliefs }: Playing,
): number {
  const box = canvas.getBoundingClientRect();
  const scene = new Scene(cluster, beliefs, Math.floor(box.width), canvas.getContext("2d")!);
  return scene.nodeAt(event.clientX - box.left, event.clientY - box.top);
}

const POINTS = 400;

/** How many nodes are wrong about anything, over the run: where to look. */
function WrongOverTime({
  playing,
  durationNs,
  atNs,
}: {
  playing: Playing;
  durationNs: number;
  atNs: number;
}): JSX.Element {
  const nodes = playing.cluster.nodes.length;
  const path = useMemo(() => {
    const beliefs = new Beliefs(playing.cluster);
    const heights = Array.from({ length: POINTS }, () => 0);
    for (const ns of playing.times) {
      beliefs.seek(ns);
      const wrong = beliefs.stale.reduce((sum, each) => sum + (each > 0 ? 1 : 0), 0);
      const point = Math.min(POINTS - 1, Math.floor((ns / durationNs) * POINTS));
      // From one change to the next it stays as it is.
      heights[point] = Math.max(heights[point]!, wrong);
      if (wrong > 0) {
        const next = playing.times[playing.times.indexOf(ns) + 1] ?? durationNs;
        const until = Math.min(POINTS - 1, Math.floor((next / durationNs) * POINTS));
        for (let i = point + 1; i <= until; i++) heights[i] = Math.max(heights[i]!, wrong);
      }
    }
    return heights.map((each, i) => `M${i},24v${(-24 * each) / Math.max(1, nodes)}`).join("");
  }, [playing, durationNs, nodes]);
  return (
    <svg
      class="strip"
      viewBox={`0 0 ${POINTS} 24`}
      preserveAspectRatio="none"
      role="img"
      aria-label="How many nodes hold endpoints that can no longer be used, over the run"
    >
      <rect width={POINTS} height="24" class="trough" />
      <path d={path} class="wrong" />
      <line
        x1={(atNs / durationNs) * POINTS}
        x2={(atNs / durationNs) * POINTS}
        y1="0"
        y2="24"
        class="hand"
      />
    </svg>
  );
}

const WRONG_MAX = 12;

/** The same in words: which node is wrong about which endpoint. */
function Wrong({
  playing,
  atNs,
  chosen,
}: {
  playing: Playing;
  atNs: number;
  chosen: number;
}): JSX.Element {
  const { cluster, beliefs } = playing;
  beliefs.seek(atNs);
  const all =
    chosen < 0
      ? sumOf(beliefs.stale) + sumOf(beliefs.missing)
      : beliefs.stale[chosen]! + beliefs.missing[chosen]!;
  const found = all === 0 ? [] : wrongPods(playing, chosen);
  const who =
    chosen < 0 ? "Every node's rules hold" : `${cluster.nodes[chosen]!.name}'s rules hold`;
  return (
    <div class="wrong-list">
      <h3>{all === 0 ? `${who} what is so.` : `Wrong at this instant: ${count(all)} entries`}</h3>
      <ul>
        {found.slice(0, WRONG_MAX).map(({ address, pod, nodes, services, isStale }) => (
          <li key={`${address} ${isStale}`} class={isStale ? "stale" : "missing"}>
            {isStale ? "▲" : "△"} {named(nodes, cluster)}{" "}
            {isStale
              ? nodes.size === 1
                ? "still sends to"
                : "still send to"
              : nodes.size === 1
                ? "does not know"
                : "do not know"}{" "}
            <code>{address}</code> {pod.replace(/^[^/]*\//, "")} of{" "}
            {[...services].map((each) => cluster.services[each]).join(", ")}
          </li>
        ))}
      </ul>
      {found.length > WRONG_MAX && (
        <p class="soft">And {count(found.length - WRONG_MAX)} more pods.</p>
      )}
    </div>
  );
}

interface WrongPod {
  readonly address: string;
  readonly pod: string;
  readonly isStale: boolean;
  readonly nodes: Set<number>;
  readonly services: Set<number>;
}

/** By address: which nodes are wrong about it, for which Services. */
function wrongPods({ cluster, beliefs }: Playing, chosen: number): WrongPod[] {
  const pods = new Map<string, WrongPod>();
  for (const [endpoint, { address, pod, service }] of cluster.endpoints.entries()) {
    if (beliefs.wrong[endpoint] === 0) continue;
    for (let node = 0; node < beliefs.nodes; node++) {
      if ((chosen >= 0 && node !== chosen) || !beliefs.isWrong(node, endpoint)) continue;
      const isStale = beliefs.truth[endpoint] === 0;
      const key = `${address} ${isStale}`;
      const known = pods.get(key) ?? {
        address,
        pod,
        isStale,
        nodes: new Set(),
        services: new Set(),
      };
      known.nodes.add(node);
      known.services.add(service);
      pods.set(key, known);
    }
  }
  return [...pods.values()];
}

const NODES_NAMED = 6;

function named(nodes: ReadonlySet<number>, cluster: Playing["cluster"]): string {
  const names = [...nodes].map((node) => cluster.nodes[node]!.name);
  if (names.length <= NODES_NAMED) return names.join(", ");
  return `${names.slice(0, NODES_NAMED).join(", ")} and ${count(names.length - NODES_NAMED)} more`;
}

function sumOf(values: Int32Array): number {
  return values.reduce((sum, each) => sum + each, 0);
}

const shapes: readonly (readonly [string, number, boolean])[] = [
  ["client", 2, true],
  ["ready pod", 2, false],
  ["starting", 1, false],
  ["cannot be used", 3, false],
  ["told to go", 4, false],
];

function SceneLegend(): JSX.Element {
  return (
    <ul class="legend shapes">
      {shapes.map(([name, phase, isClient]) => (
        <li key={name}>
          <Shape {...{ phase, isClient }} /> {name}
        </li>
      ))}
      <li>
        <svg class="swatch" width="28" height="14" aria-hidden="true">
          <line
            x1="1"
            y1="7"
            x2="27"
            y2="7"
            stroke="var(--c0)"
            stroke-width="3"
            stroke-dasharray="2 5"
          />
        </svg>{" "}
        new connections
      </li>
      <li>
        <svg class="swatch" width="28" height="14" aria-hidden="true">
          <line
            x1="1"
            y1="7"
            x2="27"
            y2="7"
            stroke="var(--alarm)"
            stroke-width="4"
            stroke-dasharray="9 5"
          />
        </svg>{" "}
        some of them to pods no longer usable
      </li>
    </ul>
  );
}

function Shape({ phase, isClient }: { phase: number; isClient: boolean }): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const mode = useShared(theme);
  useEffect(() => {
    const pen = canvas.current!.getContext("2d")!;
    pen.setTransform(2, 0, 0, 2, 0, 0);
    pen.clearRect(0, 0, 18, 18);
    podShape(pen, paintsOf(), { isClient }, phase, 9, 9, 7);
  }, [mode]);
  return <canvas ref={canvas} width="36" height="36" class="shape" aria-hidden="true" />;
}
