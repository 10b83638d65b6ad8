/**
 * The cluster as a drawing: nodes with their pods and links, Services above, connections between.
 *
 * Owns: three layers, each drawn as rarely as it can be. What stands still is drawn again node by node, where something has
 * changed; lines and links once a bin; and in every frame of a replay only dots. Refuses to own: time (cluster.tsx) and
 * beliefs (belief.ts).
 */
import { count, duration } from "../../../output/format.ts";
import type { Beliefs } from "../../belief.ts";
import type { ClusterModel } from "../../model.ts";
import { percent } from "../format.ts";
import { shortened } from "../heatmap.tsx";
import type { Flow } from "./flows.ts";
import { layoutOf, PROXY, type Box, type Layout } from "./layout.ts";
import type { Links } from "./links.ts";
import { paintsOf, phaseAt, podShape, type Paints } from "./paints.ts";
import { Ways } from "./ways.ts";

export interface Frame {
  readonly atNs: number;
  readonly bin: number;
  /** Seconds for which it has been playing: what moves, moves by it. */
  readonly clock: number;
  readonly flows: readonly Flow[];
  /** By Service: connections a second. */
  readonly rates: readonly number[];
}

export interface SceneOptions {
  readonly cluster: ClusterModel;
  readonly beliefs: Beliefs;
  readonly links: Links;
  readonly width: number;
  /** Node whose beliefs are shown; -1: those of all. */
  readonly chosen: number;
  /** What stands, lines, dots: the last in front. */
  readonly layers: readonly [HTMLCanvasElement, HTMLCanvasElement, HTMLCanvasElement];
}

type Pen = CanvasRenderingContext2D;

export class Scene {
  readonly layout: Layout;
  readonly #options: SceneOptions;
  readonly #paints: Paints;
  readonly #ways: Ways;
  readonly #pens: readonly Pen[];
  /** By pod: its endpoints; by node: its pods. */
  readonly #endpoints: readonly (readonly number[])[];
  readonly #podsOf: readonly (readonly number[])[];
  readonly #names: readonly string[];
  /** When any pod's phase changes. */
  readonly #phaseTimes: Float64Array;
  /** What each node looked like when it was drawn, and each pod; and the row of Services. */
  readonly #nodeLooks: Int32Array;
  readonly #podLooks: Int8Array;
  #servicesLook = "";
  #step = -1;
  #phases = -1;
  #bin = -1;

  constructor(options: SceneOptions) {
    const { cluster, width, layers } = options;
    this.#options = options;
    this.layout = layoutOf(cluster, width);
    this.#paints = paintsOf();
    this.#ways = new Ways(this.layout, this.#paints);
    this.#pens = layers.map((layer) => sized(layer, this.layout));
    const byPod = new Map<string, number[]>();
    for (const [i, { pod }] of cluster.endpoints.entries()) {
      const name = pod.replace(/^[^/]*\//, "");
      const own = byPod.get(name);
      if (own === undefined) byPod.set(name, [i]);
      else own.push(i);
    }
    this.#endpoints = cluster.pods.map(({ name }) => byPod.get(name) ?? []);
    const podsOf: number[][] = cluster.nodes.map(() => []);
    for (const [pod, { node }] of cluster.pods.entries()) podsOf[node]!.push(pod);
    this.#podsOf = podsOf;
    this.#phaseTimes = Float64Array.from(cluster.pods.flatMap(({ atNs }) => atNs)).sort();
    this.#nodeLooks = new Int32Array(cluster.nodes.length).fill(-1);
    this.#podLooks = new Int8Array(cluster.pods.length).fill(-1);
    const [pen] = this.#pens;
    pen!.font = this.#font();
    const room = this.layout.hasProxies ? 14 : 50;
    this.#names = cluster.nodes.map(({ name }, i) =>
      shortened(pen!, name, this.layout.boxes[i]!.width - room),
    );
  }

  #font(): string {
    return `${this.layout.isSmall ? 10 : 13}px system-ui, sans-serif`;
  }

  draw(frame: Frame): void {
    const [still, lines, dots] = this.#pens as [Pen, Pen, Pen];
    const { width, height } = this.layout;
    this.#still(still, frame);
    if (frame.bin !== this.#bin) {
      this.#bin = frame.bin;
      lines.clearRect(0, 0, width, height);
      this.#links(lines, frame.bin);
      this.#ways.lines(lines, this.#chosenOf(frame.flows));
    }
    dots.clearRect(0, 0, width, height);
    this.#ways.dots(dots, frame.clock);
  }

  #chosenOf(flows: readonly Flow[]): readonly Flow[] {
    const { chosen } = this.#options;
    return chosen < 0 ? flows : flows.filter(({ from, to }) => from === chosen || to === chosen);
  }

  /** Nodes that have changed since they were drawn. */
  #still(pen: Pen, frame: Frame): void {
    this.#services(pen, frame);
    const phases = placeIn(this.#phaseTimes, frame.atNs);
    const { step } = this.#options.beliefs;
    if (step === this.#step && phases === this.#phases) return;
    this.#step = step;
    this.#phases = phases;
    for (let node = 0; node < this.layout.boxes.length; node++) {
      if (this.#hasChanged(node, frame.atNs)) this.#node(pen, node);
    }
  }

  #hasChanged(node: number, atNs: number): boolean {
    const { stale, missing } = this.#options.beliefs;
    const own = stale[node]! * 65_536 + missing[node]!;
    let isNew = own !== this.#nodeLooks[node];
    this.#nodeLooks[node] = own;
    for (const pod of this.#podsOf[node]!) {
      const seen = this.#podLook(pod, atNs);
      if (seen === this.#podLooks[pod]) continue;
      this.#podLooks[pod] = seen;
      isNew = true;
    }
    return isNew;
  }

  /** Its phase, doubled, and 1 if a node is wrong about it. */
  #podLook(pod: number, atNs: number): number {
    const phase = this.#seenPhase(pod, phaseAt(this.#options.cluster.pods[pod]!, atNs));
    return 2 * phase + (this.#isWrongAbout(pod) ? 1 : 0);
  }

  #services(pen: Pen, { rates }: Frame): void {
    const { cluster, beliefs } = this.#options;
    const most = Math.max(1, Math.floor(this.layout.width / 230));
    const shown = [...cluster.services.keys()]
      .sort((a, b) => rates[b]! - rates[a]!)
      .slice(0, most)
      .sort((a, b) => a - b);
    const texts = shown.map(
      (service) =>
        `${count(beliefs.usable[service]!)} ready, ${count(Math.round(rates[service]!))} conn/s`,
    );
    const seen = shown.join() + texts.join();
    if (seen === this.#servicesLook) return;
    this.#servicesLook = seen;
    const paints = this.#paints;
    pen.clearRect(0, 0, this.layout.width, 38);
    const width = Math.min(280, this.layout.width / Math.max(1, shown.length) - 8);
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    for (const [place, service] of shown.entries()) {
      const x = place * (width + 8);
      pen.strokeStyle = paints.soft;
      pen.fillStyle = paints.card;
      pen.lineWidth = 1;
      pen.beginPath();
      pen.roundRect(x + 0.5, 0.5, width - 1, 36, 18);
      pen.fill();
      pen.stroke();
      pen.fillStyle = paints.ink;
      pen.fillText(shortened(pen, cluster.services[service]!, width - 28), x + 14, 12);
      pen.fillStyle = paints.soft;
      pen.fillText(shortened(pen, texts[place]!, width - 28), x + 14, 26);
    }
  }

  #node(pen: Pen, node: number): void {
    const { hasProxies, isSmall } = this.layout;
    const box = this.layout.boxes[node]!;
    this.#frameOf(pen, node, box, !hasProxies);
    pen.font = this.#font();
    pen.textBaseline = "middle";
    pen.fillStyle = this.#paints.ink;
    pen.fillText(this.#names[node]!, box.x + 7, box.y + (isSmall ? 11 : 13));
    if (hasProxies) this.#proxy(pen, node);
    else this.#badge(pen, node);
    for (const pod of this.#podsOf[node]!) this.#pod(pen, pod);
  }

  /** What a node's rules hold, where there is room to draw it apart from its pods. */
  #proxy(pen: Pen, node: number): void {
    const box = this.layout.proxies[node]!;
    this.#frameOf(pen, node, box, true);
    pen.font = this.layout.isSmall ? "10px system-ui, sans-serif" : "12px system-ui, sans-serif";
    pen.fillStyle = this.#paints.ink;
    const { name } = this.#options.cluster.nodes[node]!;
    const text = this.layout.isSmall ? name : `kube-proxy of ${name}`;
    pen.fillText(shortened(pen, text, box.width - 58), box.x + 8, box.y + PROXY / 2);
    this.#badge(pen, node);
  }

  /** Heavy where the rules hold what is gone, dashed where they lack what is there. */
  #frameOf(pen: Pen, node: number, box: Box, hasRules: boolean): void {
    const paints = this.#paints;
    const { beliefs, chosen } = this.#options;
    const isStale = hasRules && beliefs.stale[node]! > 0;
    const isMissing = hasRules && !isStale && beliefs.missing[node]! > 0;
    const isChosen = chosen === node;
    pen.clearRect(box.x, box.y, box.width, box.height);
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
  #badge(pen: Pen, node: number): void {
    const { beliefs } = this.#options;
    const stale = beliefs.stale[node]!;
    const missing = beliefs.missing[node]!;
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

  /** Each node's link, both ways, as thick as it was busy against the busiest of the run. */
  #links(pen: Pen, bin: number): void {
    const { links } = this.#options;
    if (!links.isRecorded) return;
    const { network, boxes } = this.layout;
    if (network !== null) this.#switch(pen, network);
    for (const [node, box] of boxes.entries()) {
      const load = links.at(node, bin);
      if (network === null) this.#bars(pen, box, load);
      else this.#cable(pen, box, network, load);
    }
  }

  #switch(pen: Pen, { x, y, width, height }: Box): void {
    pen.fillStyle = this.#paints.card;
    pen.strokeStyle = this.#paints.soft;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.roundRect(x + 0.5, y + 0.5, width - 1, height - 1, 6);
    pen.fill();
    pen.stroke();
    pen.fillStyle = this.#paints.soft;
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    pen.fillText("network", x + 10, y + height / 2);
  }

  /** From a node down to the network and back: two lines with arrow heads, and the figures beside. */
  #cable(pen: Pen, box: Box, network: Box, load: ReturnType<Links["at"]>): void {
    const { most } = this.#options.links;
    const paints = this.#paints;
    const top = box.y + box.height;
    for (const [way, share] of [
      ["out", load.out],
      ["in", load.in],
    ] as const) {
      const x = box.x + (way === "out" ? 14 : 30);
      const thick = 1.5 + (8 * share) / Math.max(most, 1e-9);
      const isLossy = load.drops > 0;
      pen.fillStyle = isLossy ? paints.alarm : paints.link;
      pen.fillRect(x - thick / 2, top + 6, thick, network.y - top - 12);
      const [tip, base] = way === "out" ? [network.y - 1, -8] : [top + 1, 8];
      pen.beginPath();
      pen.moveTo(x, tip);
      pen.lineTo(x - 6, tip + base);
      pen.lineTo(x + 6, tip + base);
      pen.fill();
    }
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "middle";
    pen.fillStyle = paints.soft;
    const text = [`out ${percent(load.out)}, in ${percent(load.in)}`];
    if (load.queueP99Ns > 0) text.push(`queue ${duration(load.queueP99Ns)}`);
    if (load.drops > 0) text.push(`${count(load.drops)} drops`);
    const room = box.width - 44;
    for (const [line, each] of text.entries()) {
      pen.fillText(shortened(pen, each, room), box.x + 42, top + 13 + 14 * line);
    }
  }

  /** The same as two bars at the bottom of a box: out above in. */
  #bars(pen: Pen, box: Box, load: ReturnType<Links["at"]>): void {
    const { most } = this.#options.links;
    const [x, width] = [box.x + 7, box.width - 14];
    for (const [line, share] of [load.out, load.in].entries()) {
      const y = box.y + box.height - 11 + 4 * line;
      pen.fillStyle = this.#paints.line;
      pen.fillRect(x, y, width, 3);
      pen.fillStyle = load.drops > 0 ? this.#paints.alarm : this.#paints.link;
      pen.fillRect(x, y, (width * share) / Math.max(most, 1e-9), 3);
    }
  }

  #pod(pen: Pen, index: number): void {
    const seen = this.#podLooks[index]!;
    const [phase, isWrong] = [seen >> 1, seen % 2 === 1];
    if (phase === 0 && !isWrong) return;
    const { x, y } = this.layout.pods[index]!;
    const { radius } = this.layout;
    podShape(pen, this.#paints, this.#options.cluster.pods[index]!, phase, x, y, radius);
    if (!isWrong) return;
    pen.strokeStyle = this.#paints.alarm;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(x, y, radius + 2, 0, 2 * Math.PI);
    pen.stroke();
  }

  /** What counts as ready but cannot be used in truth, as on a node that has crashed, is drawn as such. */
  #seenPhase(pod: number, phase: number): number {
    const own = this.#endpoints[pod]!;
    if (phase !== 2 || own.length === 0) return phase;
    const { truth } = this.#options.beliefs;
    for (const endpoint of own) if (truth[endpoint] === 1) return phase;
    return 3;
  }

  /** Whether the chosen node, or any, still sends to a pod that cannot be used. */
  #isWrongAbout(pod: number): boolean {
    const { beliefs, chosen } = this.#options;
    for (const endpoint of this.#endpoints[pod]!) {
      if (beliefs.truth[endpoint] === 1) continue;
      if (chosen < 0 ? beliefs.wrong[endpoint]! > 0 : beliefs.isWrong(chosen, endpoint))
        return true;
    }
    return false;
  }

  /** Node at a place; -1: none. */
  nodeAt(x: number, y: number): number {
    const isIn = (box: Box): boolean =>
      x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height;
    return Math.max(this.layout.boxes.findIndex(isIn), this.layout.proxies.findIndex(isIn));
  }
}

/** A layer fitted to the drawing, empty. */
function sized(layer: HTMLCanvasElement, { width, height }: Layout): Pen {
  const scale = devicePixelRatio;
  layer.width = width * scale;
  layer.height = height * scale;
  layer.style.width = `${width}px`;
  layer.style.height = `${height}px`;
  const pen = layer.getContext("2d")!;
  pen.scale(scale, scale);
  return pen;
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
