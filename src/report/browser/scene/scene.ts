/**
 * The cluster as a drawing: nodes with their pods and links, Services above, connections between.
 *
 * Owns: layers, each drawn as rarely as it can be. What stands still is drawn again node by node, where something has
 * changed; lines and links once a bin; and in every frame of a replay only dots. What stands is handed to the page as a
 * bitmap: Chromium copies every canvas that it could draw on for every frame, changed or not. Refuses to own: time
 * (replay.ts) and beliefs (belief.ts).
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
  /** What stands, and dots in front of it. */
  readonly layers: readonly [HTMLCanvasElement, HTMLCanvasElement];
}

type Pen = CanvasRenderingContext2D;

/** While it plays, what stands is looked at so often. */
const STILL_S = 0.05;

export class Scene {
  readonly layout: Layout;
  readonly #options: SceneOptions;
  readonly #paints: Paints;
  readonly #ways: Ways;
  readonly #still: Pen;
  readonly #lines: Pen;
  readonly #dots: Pen;
  readonly #shown: Shown;
  /** By pod: its endpoints; by node: its pods. */
  readonly #endpoints: readonly (readonly number[])[];
  readonly #podsOf: readonly (readonly number[])[];
  readonly #names: readonly string[];
  /** When any pod's phase changes. */
  readonly #phaseTimes: Float64Array;
  /** What each node looked like when it was drawn, and each pod; and the row of Services. */
  readonly #nodeLooks: Int32Array;
  readonly #podLooks: Int8Array;
  /** Pods as they may look: a small picture is drawn much faster than a curve. */
  readonly #stamps = new Map<number, HTMLCanvasElement>();
  #servicesLook = "";
  #step = -1;
  #phases = -1;
  #bin = -1;
  #stillAt = -1;

  constructor(options: SceneOptions) {
    const { cluster, width, layers } = options;
    this.#options = options;
    this.layout = layoutOf(cluster, width);
    this.#paints = paintsOf();
    this.#ways = new Ways(this.layout, this.#paints);
    const [shown, dots] = layers;
    this.#still = penOf(document.createElement("canvas"), this.layout);
    this.#lines = penOf(document.createElement("canvas"), this.layout);
    this.#dots = penOf(dots, this.layout);
    this.#shown = new Shown(shown, this.layout);
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
    this.#still.font = this.#font();
    const room = this.layout.hasProxies ? 14 : 50;
    this.#names = cluster.nodes.map(({ name }, i) => {
      const text = shortened(this.#still, name, this.layout.boxes[i]!.width - room);
      // Of a name of which two letters are left nobody learns anything.
      return text !== name && text.length < 6 ? "" : text;
    });
  }

  #font(): string {
    return `${this.layout.isSmall ? 10 : 13}px system-ui, sans-serif`;
  }

  draw(frame: Frame): void {
    const { width, height } = this.layout;
    const sinceStill = frame.clock - this.#stillAt;
    if (sinceStill <= 0 || sinceStill >= STILL_S) {
      this.#stillAt = frame.clock;
      this.#stand(frame);
    }
    this.#dots.clearRect(0, 0, width, height);
    this.#ways.dots(this.#dots, frame.clock);
  }

  #stand(frame: Frame): void {
    let isNew = this.#services(this.#still, frame);
    if (this.#nodes(frame)) isNew = true;
    if (frame.bin !== this.#bin) {
      this.#bin = frame.bin;
      const pen = this.#lines;
      pen.clearRect(0, 0, this.layout.width, this.layout.height);
      this.#links(pen, frame.bin);
      this.#ways.lines(pen, this.#chosenOf(frame.flows));
      isNew = true;
    }
    if (isNew) this.#shown.show(this.#still.canvas, this.#lines.canvas);
  }

  #chosenOf(flows: readonly Flow[]): readonly Flow[] {
    const { chosen } = this.#options;
    return chosen < 0 ? flows : flows.filter(({ from, to }) => from === chosen || to === chosen);
  }

  /** Draws those that have changed since they were drawn. @returns whether any has */
  #nodes(frame: Frame): boolean {
    const phases = placeIn(this.#phaseTimes, frame.atNs);
    const { step } = this.#options.beliefs;
    if (step === this.#step && phases === this.#phases) return false;
    this.#step = step;
    this.#phases = phases;
    const { stale, missing } = this.#options.beliefs;
    let isNew = false;
    for (let node = 0; node < this.layout.boxes.length; node++) {
      const own = stale[node]! * 65_536 + missing[node]!;
      if (own !== this.#nodeLooks[node]) {
        if (this.#nodeLooks[node] === -1) this.#card(this.layout.boxes[node]!);
        this.#nodeLooks[node] = own;
        this.#head(this.#still, node);
        isNew = true;
      }
      for (const pod of this.#podsOf[node]!) {
        const seen = this.#podLook(pod, frame.atNs);
        if (seen === this.#podLooks[pod]) continue;
        this.#podLooks[pod] = seen;
        this.#pod(this.#still, pod);
        isNew = true;
      }
    }
    return isNew;
  }

  /** Its phase, doubled, and 1 if a node is wrong about it. */
  #podLook(pod: number, atNs: number): number {
    const phase = this.#seenPhase(pod, phaseAt(this.#options.cluster.pods[pod]!, atNs));
    return 2 * phase + (this.#isWrongAbout(pod) ? 1 : 0);
  }

  /** @returns whether they are drawn anew */
  #services(pen: Pen, { rates }: Frame): boolean {
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
    if (seen === this.#servicesLook) return false;
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
    return true;
  }

  #card({ x, y, width, height }: Box): void {
    this.#still.fillStyle = this.#paints.card;
    this.#still.fillRect(x, y, width, height);
  }

  /** All of a node but its pods: its name, its border, and how much its rules hold wrongly. */
  #head(pen: Pen, node: number): void {
    const { hasProxies, isSmall, boxes, proxies, head } = this.layout;
    const box = boxes[node]!;
    pen.textBaseline = "middle";
    this.#card({ ...box, height: head });
    this.#border(pen, node, box, !hasProxies);
    pen.font = this.#font();
    pen.fillStyle = this.#paints.ink;
    pen.fillText(this.#names[node]!, box.x + 7, box.y + (isSmall ? 11 : 14));
    if (hasProxies) {
      const proxy = proxies[node]!;
      this.#card(proxy);
      this.#border(pen, node, proxy, true);
      pen.font = isSmall ? "10px system-ui, sans-serif" : "12px system-ui, sans-serif";
      pen.fillStyle = this.#paints.ink;
      const { name } = this.#options.cluster.nodes[node]!;
      const text = isSmall ? name : `kube-proxy ${name}`;
      pen.fillText(
        shortened(pen, text, proxy.width - (isSmall ? 44 : 58)),
        proxy.x + 8,
        proxy.y + PROXY / 2,
      );
    }
    this.#badge(pen, node);
  }

  /** Heavy where the rules hold what is gone, dashed where they lack what is there. */
  #border(pen: Pen, node: number, { x, y, width, height }: Box, hasRules: boolean): void {
    const paints = this.#paints;
    const { beliefs, chosen } = this.#options;
    const isStale = hasRules && beliefs.stale[node]! > 0;
    const isMissing = hasRules && !isStale && beliefs.missing[node]! > 0;
    const isChosen = chosen === node;
    // Straight lines on whole pixels are the cheapest there are. What was there before goes first.
    pen.lineWidth = 4;
    pen.strokeStyle = paints.card;
    pen.strokeRect(x + 2, y + 2, width - 4, height - 4);
    const thick = isStale ? 3 : isChosen || isMissing ? 2 : 1;
    pen.lineWidth = thick;
    pen.strokeStyle = isStale
      ? paints.alarm
      : isMissing
        ? paints.waiting
        : isChosen
          ? paints.ink
          : paints.line;
    if (isMissing) pen.setLineDash([5, 3]);
    pen.strokeRect(x + thick / 2, y + thick / 2, width - thick, height - thick);
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
    pen.fillRect(x + width - size - 4, y + top, size, tall);
    pen.fillStyle = this.#paints.paper;
    pen.fillText(text, x + width - size + 1, y + top + tall / 2);
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
    const room = box.width - 44;
    const both = [`out ${percent(load.out)}`, `in ${percent(load.in)}`];
    const text = pen.measureText(both.join(", ")).width <= room ? [both.join(", ")] : both;
    if (load.queueP99Ns > 0) text.push(`queue ${duration(load.queueP99Ns)}`);
    if (load.drops > 0) text.push(`${count(load.drops)} drops`);
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
    const { x, y } = this.layout.pods[index]!;
    const { step } = this.layout;
    const [left, top] = [x - step / 2, y - step / 2];
    const { isClient } = this.#options.cluster.pods[index]!;
    pen.drawImage(this.#stamp(this.#podLooks[index]!, isClient), left, top, step, step);
  }

  /** A pod as it looks, in its square. */
  #stamp(seen: number, isClient: boolean): HTMLCanvasElement {
    const key = 2 * seen + (isClient ? 1 : 0);
    const known = this.#stamps.get(key);
    if (known !== undefined) return known;
    const { step, radius } = this.layout;
    const made = document.createElement("canvas");
    made.width = made.height = Math.ceil(step * devicePixelRatio);
    const pen = made.getContext("2d")!;
    pen.scale(made.width / step, made.width / step);
    pen.fillStyle = this.#paints.card;
    pen.fillRect(0, 0, step, step);
    const [phase, isWrong] = [seen >> 1, seen % 2 === 1];
    if (phase !== 0 || isWrong) {
      podShape(pen, this.#paints, { isClient }, phase, step / 2, step / 2, radius);
    }
    if (isWrong) {
      pen.strokeStyle = this.#paints.alarm;
      pen.lineWidth = Math.min(2, step / 6);
      pen.beginPath();
      pen.arc(step / 2, step / 2, (step - pen.lineWidth) / 2, 0, 2 * Math.PI);
      pen.stroke();
    }
    this.#stamps.set(key, made);
    return made;
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

function fit(canvas: HTMLCanvasElement, { width, height }: Layout): void {
  canvas.width = width * devicePixelRatio;
  canvas.height = height * devicePixelRatio;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
}

/** Fits a canvas to the drawing. */
function penOf(canvas: HTMLCanvasElement, layout: Layout): Pen {
  fit(canvas, layout);
  const pen = canvas.getContext("2d")!;
  pen.scale(devicePixelRatio, devicePixelRatio);
  return pen;
}

/** A canvas that shows what was drawn elsewhere. */
class Shown {
  readonly #place: ImageBitmapRenderingContext;
  readonly #whole: OffscreenCanvas;

  constructor(canvas: HTMLCanvasElement, layout: Layout) {
    fit(canvas, layout);
    this.#place = canvas.getContext("bitmaprenderer")!;
    this.#whole = new OffscreenCanvas(canvas.width, canvas.height);
  }

  show(...layers: readonly HTMLCanvasElement[]): void {
    const pen = this.#whole.getContext("2d")!;
    for (const layer of layers) pen.drawImage(layer, 0, 0);
    this.#place.transferFromImageBitmap(this.#whole.transferToImageBitmap());
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
