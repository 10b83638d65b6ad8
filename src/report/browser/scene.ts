/**
 * The cluster as a drawing: nodes with their NIC, bridge and pods, Services above, connections between.
 *
 * Owns: where everything stands, and one frame of it. Refuses to own: time (cluster.tsx) and beliefs (belief.ts). What
 * differs in colour differs in shape: a pod that is ready is a disc, one that starts a ring, one that cannot be used
 * a diamond, one that was told to go a cross, a client a square.
 */
import { count } from "../../output/format.ts";
import type { Beliefs } from "../belief.ts";
import type { ClusterModel, PodModel, Report } from "../model.ts";
import { shortened } from "./heatmap.tsx";
import { cssColor } from "./palette.ts";

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly Box[];
  /** Where a node's rules choose: above its box where there is room for a row of them, else the box itself. */
  readonly proxies: readonly Box[];
  readonly hasProxies: boolean;
  /** By pod: place in its node's box. */
  readonly pods: readonly { readonly x: number; readonly y: number }[];
  readonly radius: number;
  readonly isSmall: boolean;
}

const TOP = 54;
const HEAD = 40;
/** Height of a kube-proxy, and of the lane in which its connections go to the nodes below. */
const PROXY = 34;
const LANE = 150;

export function layoutOf(cluster: ClusterModel, width: number): Layout {
  const { nodes } = cluster;
  const hasProxies = nodes.length <= 10 && width / Math.max(1, nodes.length) >= 78;
  const isSmall = nodes.length > 30 || (hasProxies && width / nodes.length < 130);
  const gap = isSmall ? 10 : 26;
  const least = nodes.length > 120 ? 60 : isSmall ? 92 : 190;
  const fitting = Math.max(1, Math.floor((width + gap) / (least + gap)));
  const columns = hasProxies ? Math.max(1, nodes.length) : Math.min(nodes.length, fitting);
  const boxWidth = (width - (columns - 1) * gap) / columns;
  const radius = nodes.length > 30 ? 3.2 : isSmall ? 5 : 8;
  const step = radius * 2 + (isSmall ? 2.5 : 7);
  const perRow = Math.max(1, Math.floor((boxWidth - 14) / step));
  const { rows, seatOf } = seatsOf(cluster, perRow);
  const head = isSmall ? 24 : HEAD;
  const boxHeight = head + rows * step + 10;
  const top = hasProxies ? TOP + PROXY + LANE : TOP;
  const boxes = nodes.map((_, i) => ({
    x: (i % columns) * (boxWidth + gap),
    y: top + Math.floor(i / columns) * (boxHeight + gap),
    width: boxWidth,
    height: boxHeight,
  }));
  const pods = cluster.pods.map(({ node }, i) => ({
    x: boxes[node]!.x + 9 + radius + (seatOf[i]! % perRow) * step,
    y: boxes[node]!.y + head + radius + Math.floor(seatOf[i]! / perRow) * step,
  }));
  const proxies = hasProxies ? boxes.map((box) => ({ ...box, y: TOP, height: PROXY })) : boxes;
  const lowest = boxes.at(-1);
  const height = lowest === undefined ? TOP : lowest.y + lowest.height + 6;
  return { width, height, boxes, proxies, hasProxies, pods, radius, isSmall };
}

/** By pod: its seat in its node's box. */
function seatsOf(
  { nodes, pods }: ClusterModel,
  perRow: number,
): { rows: number; seatOf: number[] } {
  const seats = nodes.map(() => 0);
  const seatOf = pods.map(({ node }) => seats[node]!++);
  return { rows: Math.max(1, Math.ceil(Math.max(1, ...seats) / perRow)), seatOf };
}

/** Colours, looked up once for many frames. */
export interface Paints {
  readonly ink: string;
  readonly soft: string;
  readonly paper: string;
  readonly card: string;
  readonly line: string;
  readonly alarm: string;
  readonly flow: string;
  readonly ready: string;
  readonly client: string;
  readonly waiting: string;
}

export function paintsOf(): Paints {
  return {
    ink: cssColor("--ink"),
    soft: cssColor("--ink-soft"),
    paper: cssColor("--paper"),
    card: cssColor("--card"),
    line: cssColor("--grid"),
    alarm: cssColor("--alarm"),
    flow: cssColor("--c0"),
    ready: cssColor("--c2"),
    client: cssColor("--c4"),
    waiting: cssColor("--c1"),
  };
}

/** Connections of one bin, the stale and the many first. */
export interface Flow {
  readonly from: number;
  readonly to: number;
  readonly connections: number;
  readonly stale: number;
}

export const FLOWS_MAX = 160;

/** By bin, Services together: what a frame looks up. */
export function flowsByBin({ cluster: { flows }, load }: Report): Flow[][] {
  const byBin: Map<string, { from: number; to: number; connections: number; stale: number }>[] =
    load.bins.startNs.map(() => new Map());
  for (const [i, bin] of flows.bin.entries()) {
    const [from, to] = [flows.from[i]!, flows.to[i]!];
    const key = `${from} ${to}`;
    const known = byBin[bin]!.get(key);
    const [connections, stale] = [flows.connections[i]!, flows.stale[i]!];
    if (known === undefined) byBin[bin]!.set(key, { from, to, connections, stale });
    else {
      known.connections += connections;
      known.stale += stale;
    }
  }
  return byBin.map((all) =>
    [...all.values()]
      .filter(({ to }) => to >= 0)
      .sort((a, b) => b.stale - a.stale || b.connections - a.connections)
      .slice(0, FLOWS_MAX),
  );
}

export interface Frame {
  readonly atNs: number;
  readonly bin: number;
  /** Grows while it plays: what moves, moves by it. */
  readonly clock: number;
  readonly flows: readonly Flow[];
  /** By Service: connections a second. */
  readonly rates: readonly number[];
  /** Node whose beliefs are shown; -1: those of all. */
  readonly chosen: number;
}

export class Scene {
  readonly layout: Layout;
  readonly #cluster: ClusterModel;
  readonly #beliefs: Beliefs;
  readonly #paints: Paints;
  /** By pod: its endpoints. */
  readonly #endpoints: readonly (readonly number[])[];
  readonly #names: readonly string[];
  /** When any pod's phase changes. */
  readonly #phaseTimes: Float64Array;
  readonly #stillCanvas = document.createElement("canvas");
  #stillKey = "";

  constructor(
    cluster: ClusterModel,
    beliefs: Beliefs,
    width: number,
    pen: CanvasRenderingContext2D,
  ) {
    this.layout = layoutOf(cluster, width);
    this.#cluster = cluster;
    this.#beliefs = beliefs;
    this.#paints = paintsOf();
    const byPod = new Map<string, number[]>();
    for (const [i, { pod }] of cluster.endpoints.entries()) {
      const name = pod.replace(/^[^/]*\//, "");
      byPod.set(name, [...(byPod.get(name) ?? []), i]);
    }
    this.#endpoints = cluster.pods.map(({ name }) => byPod.get(name) ?? []);
    this.#phaseTimes = Float64Array.from(cluster.pods.flatMap(({ atNs }) => atNs)).sort();
    pen.font = this.#font();
    this.#names = cluster.nodes.map(({ name }, i) =>
      shortened(pen, name, this.layout.boxes[i]!.width - 50),
    );
  }

  #font(): string {
    return `${this.layout.isSmall ? 10 : 13}px system-ui, sans-serif`;
  }

  /** What only moves from change to change is drawn once for each; connections in every frame. */
  draw(pen: CanvasRenderingContext2D, frame: Frame): void {
    const { width, height } = this.layout;
    const still = this.#still(frame);
    pen.clearRect(0, 0, width, height);
    pen.drawImage(still, 0, 0, width, height);
    for (const isStale of [false, true]) this.#flows(pen, frame, isStale);
    pen.setLineDash([]);
  }

  #still(frame: Frame): HTMLCanvasElement {
    const phases = placeIn(this.#phaseTimes, frame.atNs);
    const key = `${this.#beliefs.step} ${phases} ${frame.bin} ${frame.chosen}`;
    if (key === this.#stillKey) return this.#stillCanvas;
    this.#stillKey = key;
    const { width, height } = this.layout;
    const scale = devicePixelRatio;
    this.#stillCanvas.width = width * scale;
    this.#stillCanvas.height = height * scale;
    const pen = this.#stillCanvas.getContext("2d")!;
    pen.scale(scale, scale);
    this.#services(pen, frame);
    for (let node = 0; node < this.layout.boxes.length; node++) this.#node(pen, frame, node);
    if (this.layout.hasProxies) {
      for (let node = 0; node < this.layout.boxes.length; node++) this.#proxy(pen, frame, node);
    }
    for (let pod = 0; pod < this.layout.pods.length; pod++) this.#pod(pen, frame, pod);
    return this.#stillCanvas;
  }

  #services(pen: CanvasRenderingContext2D, { rates }: Frame): void {
    const { services } = this.#cluster;
    const paints = this.#paints;
    const shown = [...services.keys()]
      .sort((a, b) => rates[b]! - rates[a]!)
      .slice(0, Math.max(1, Math.floor(this.layout.width / 230)));
    const width = Math.min(280, this.layout.width / Math.max(1, shown.length) - 8);
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    for (const [place, service] of shown.sort((a, b) => a - b).entries()) {
      const x = place * (width + 8);
      pen.strokeStyle = paints.soft;
      pen.fillStyle = paints.card;
      pen.lineWidth = 1;
      pen.beginPath();
      pen.roundRect(x + 0.5, 0.5, width - 1, 36, 18);
      pen.fill();
      pen.stroke();
      pen.fillStyle = paints.ink;
      pen.fillText(shortened(pen, services[service]!, width - 28), x + 14, 12);
      pen.fillStyle = paints.soft;
      const text = `${count(this.#beliefs.usable[service]!)} ready, ${count(Math.round(rates[service]!))} conn/s`;
      pen.fillText(shortened(pen, text, width - 28), x + 14, 26);
    }
  }

  #node(pen: CanvasRenderingContext2D, frame: Frame, node: number): void {
    const box = this.layout.boxes[node]!;
    this.#frameOf(pen, frame, node, box, !this.layout.hasProxies);
    pen.font = this.#font();
    pen.textBaseline = "middle";
    pen.fillStyle = this.#paints.ink;
    pen.fillText(this.#names[node]!, box.x + 7, box.y + (this.layout.isSmall ? 11 : 13));
    if (!this.layout.hasProxies) this.#badge(pen, node);
    if (!this.layout.isSmall) this.#hardware(pen, node);
  }

  /** What a node's rules hold, where there is room to draw it apart from its pods. */
  #proxy(pen: CanvasRenderingContext2D, frame: Frame, node: number): void {
    const box = this.layout.proxies[node]!;
    this.#frameOf(pen, frame, node, box, true);
    pen.font = this.layout.isSmall ? "10px system-ui, sans-serif" : "12px system-ui, sans-serif";
    pen.fillStyle = this.#paints.ink;
    const name = this.#cluster.nodes[node]!.name;
    const text = this.layout.isSmall ? name : `kube-proxy of ${name}`;
    pen.fillText(shortened(pen, text, box.width - 58), box.x + 8, box.y + PROXY / 2);
    this.#badge(pen, node);
  }

  /** Heavy where the rules hold what is gone, dashed where they lack what is there. */
  #frameOf(
    pen: CanvasRenderingContext2D,
    { chosen }: Frame,
    node: number,
    box: Box,
    hasRules: boolean,
  ): void {
    const paints = this.#paints;
    const isStale = hasRules && this.#beliefs.stale[node]! > 0;
    const isMissing = hasRules && !isStale && this.#beliefs.missing[node]! > 0;
    const isChosen = chosen === node;
    pen.fillStyle = paints.card;
    pen.strokeStyle = isStale
      ? paints.alarm
      : isMissing
        ? paints.waiting
        : isChosen
          ? paints.ink
          : paints.line;
    pen.lineWidth = isStale ? 3 : isChosen || isMissing ? 2.5 : 1.2;
    pen.setLineDash(isMissing ? [5, 3] : []);
    pen.beginPath();
    pen.roundRect(box.x + 1.5, box.y + 1.5, box.width - 3, box.height - 3, 6);
    pen.fill();
    pen.stroke();
    pen.setLineDash([]);
  }

  /** How much of what a node believes is wrong. */
  #badge(pen: CanvasRenderingContext2D, node: number): void {
    const stale = this.#beliefs.stale[node]!;
    const missing = this.#beliefs.missing[node]!;
    if (stale === 0 && missing === 0) return;
    const { x, y, width, height } = this.layout.proxies[node]!;
    const text = stale > 0 ? `▲ ${stale}` : `△ ${missing}`;
    const size = pen.measureText(text).width + 10;
    pen.fillStyle = stale > 0 ? this.#paints.alarm : this.#paints.waiting;
    const tall = this.layout.isSmall ? 15 : 18;
    const top = this.layout.hasProxies ? (height - tall) / 2 : 4;
    pen.fillRect(x + width - size - 3, y + top, size, tall);
    pen.fillStyle = this.#paints.paper;
    pen.fillText(text, x + width - size + 2, y + top + tall / 2);
  }

  /** NIC as a bar of its load over the run, bridge as the line that the pods hang on. */
  #hardware(pen: CanvasRenderingContext2D, node: number): void {
    const { x, y, width } = this.layout.boxes[node]!;
    const { nicUtilisation, drops, bridgePackets } = this.#cluster.nodes[node]!;
    const paints = this.#paints;
    pen.font = "10px system-ui, sans-serif";
    pen.fillStyle = paints.soft;
    const share =
      nicUtilisation === null ? "" : ` eth0 ${Number((100 * nicUtilisation).toPrecision(2))} %`;
    const lost = drops > 0 ? `, ${count(drops)} drops` : "";
    const bridge = bridgePackets === null ? "" : `, cni0 ${count(bridgePackets)} packets`;
    pen.fillText(
      shortened(pen, `${share}${bridge}${lost}`.trim().replace(/^, /, ""), width - 14),
      x + 7,
      y + 27,
    );
    pen.fillStyle = paints.line;
    pen.fillRect(x + 7, y + 34, width - 14, 2);
    pen.fillStyle = paints.flow;
    pen.fillRect(x + 7, y + 34, (width - 14) * Math.min(1, nicUtilisation ?? 0), 2);
  }

  #pod(pen: CanvasRenderingContext2D, { atNs, chosen }: Frame, index: number): void {
    const pod = this.#cluster.pods[index]!;
    const phase = this.#seenPhase(index, phaseAt(pod, atNs));
    const { x, y } = this.layout.pods[index]!;
    const { radius } = this.layout;
    const wrong = this.#wrongAbout(index, chosen);
    if (phase === 0 && wrong === 0) return;
    podShape(pen, this.#paints, pod, phase, x, y, radius);
    if (wrong === 0) return;
    pen.strokeStyle = this.#paints.alarm;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(x, y, radius + 2, 0, 2 * Math.PI);
    pen.stroke();
  }

  /** What counts as ready but cannot be used in truth, as on a node that has crashed, is drawn as such. */
  #seenPhase(pod: number, phase: number): number {
    const own = this.#endpoints[pod]!;
    const isUsable =
      own.length === 0 || own.some((endpoint) => this.#beliefs.truth[endpoint] === 1);
    return phase === 2 && !isUsable ? 3 : phase;
  }

  /** Nodes that still send to a pod that cannot be used. */
  #wrongAbout(pod: number, chosen: number): number {
    let nodes = 0;
    for (const endpoint of this.#endpoints[pod]!) {
      if (this.#beliefs.truth[endpoint] === 1) continue;
      if (chosen < 0) nodes += this.#beliefs.wrong[endpoint]!;
      else if (this.#beliefs.isWrong(chosen, endpoint)) nodes++;
    }
    return nodes;
  }

  /** Those of one thickness are one stroke: each costs its own pass over the dashes. */
  #flows(pen: CanvasRenderingContext2D, { clock, chosen, flows }: Frame, isStale: boolean): void {
    const { isSmall, hasProxies } = this.layout;
    pen.strokeStyle = isStale ? this.#paints.alarm : this.#paints.flow;
    pen.globalAlpha = isStale ? 0.95 : hasProxies ? 0.75 : 0.4;
    pen.setLineDash(isStale ? [9, 5] : [2, 7]);
    pen.lineDashOffset = -clock * 40;
    const own = flows.filter(
      ({ from, to, stale }) =>
        stale > 0 === isStale && (chosen < 0 || from === chosen || to === chosen),
    );
    const thickest = isSmall ? 3 : 6;
    for (let thick = 1; thick <= thickest; thick++) {
      pen.lineWidth = thick;
      pen.beginPath();
      for (const { from, to, connections } of own) {
        const wanted = Math.round(0.8 + Math.log2(1 + connections) * (isSmall ? 0.25 : 0.5));
        if (Math.min(thickest, wanted) !== thick) continue;
        if (hasProxies) this.#down(pen, from, to);
        else this.#across(pen, from, to);
      }
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }

  /** From a kube-proxy down to a node. */
  #down(pen: CanvasRenderingContext2D, from: number, to: number): void {
    const { boxes, proxies } = this.layout;
    const nodes = boxes.length;
    const target = boxes[to]!;
    const source = proxies[from] ?? { x: 0, y: 0, width: 0, height: TOP };
    // Each in a place of its own, so that no two lie on one another.
    const spread = (box: Box, i: number): number => box.x + (box.width * (i + 1)) / (nodes + 1);
    const x1 = spread(source, to);
    const y1 = source.y + source.height;
    const x2 = spread(target, Math.max(0, from));
    const middle = (y1 + target.y) / 2;
    pen.moveTo(x1, y1);
    pen.bezierCurveTo(x1, middle, x2, middle, x2, target.y);
  }

  /** From one node's box to another's, or around to its own. */
  #across(pen: CanvasRenderingContext2D, from: number, to: number): void {
    const { boxes, width } = this.layout;
    const target = boxes[to]!;
    if (from === to) {
      const x = target.x + target.width - 10;
      const y = target.y + target.height - 9;
      pen.moveTo(x + 6, y);
      pen.arc(x, y, 6, 0, 2 * Math.PI);
      return;
    }
    const source = boxes[from] ?? { x: width / 2, y: 36, width: 0, height: 0 };
    const x1 = source.x + source.width / 2;
    const y1 = source.y + source.height - (source.height === 0 ? 0 : 8);
    const x2 = target.x + target.width / 2;
    const y2 = target.y + target.height - 8;
    const bend = (from < to ? -0.12 : 0.12) * Math.hypot(x2 - x1, y2 - y1);
    pen.moveTo(x1, y1);
    pen.quadraticCurveTo((x1 + x2) / 2, (y1 + y2) / 2 + bend, x2, y2);
  }

  /** Node at a place; -1: none. */
  nodeAt(x: number, y: number): number {
    const isIn = (box: Box): boolean =>
      x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height;
    return Math.max(this.layout.boxes.findIndex(isIn), this.layout.proxies.findIndex(isIn));
  }
}

/** How many of them are not after `now`. */
function placeIn(sortedNs: Float64Array, now: number): number {
  let [low, high] = [0, sortedNs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sortedNs[middle]! <= now) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function phaseAt({ atNs, phase }: PodModel, now: number): number {
  let found = 0;
  for (let i = 0; i < atNs.length && atNs[i]! <= now; i++) found = phase[i]!;
  return found;
}

export function podShape(
  pen: CanvasRenderingContext2D,
  paints: Paints,
  { isClient }: Pick<PodModel, "isClient">,
  phase: number,
  x: number,
  y: number,
  radius: number,
): void {
  pen.lineWidth = Math.max(1, radius / 4);
  pen.beginPath();
  if (isClient && phase === 2) {
    pen.fillStyle = paints.client;
    pen.fillRect(x - radius * 0.85, y - radius * 0.85, radius * 1.7, radius * 1.7);
    return;
  }
  if (phase === 1) {
    pen.strokeStyle = paints.waiting;
    pen.arc(x, y, radius - 1, 0, 2 * Math.PI);
    pen.stroke();
  } else if (phase === 2) {
    pen.fillStyle = paints.ready;
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.fill();
  } else if (phase === 3) {
    pen.fillStyle = paints.waiting;
    pen.moveTo(x, y - radius);
    pen.lineTo(x + radius, y);
    pen.lineTo(x, y + radius);
    pen.lineTo(x - radius, y);
    pen.fill();
  } else {
    pen.strokeStyle = phase === 4 ? paints.ink : paints.soft;
    const arm = radius * 0.75;
    pen.moveTo(x - arm, y - arm);
    pen.lineTo(x + arm, y + arm);
    pen.moveTo(x + arm, y - arm);
    pen.lineTo(x - arm, y + arm);
    pen.stroke();
  }
}
