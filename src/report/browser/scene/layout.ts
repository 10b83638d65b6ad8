/**
 * Where everything stands in the drawing of a cluster.
 *
 * Owns: places of nodes, of what chooses on them, of pods, of links, and of the ways between nodes. Worked out once for a width; refuses
 * to own: any state.
 */
import type { ClusterModel } from "../../model.ts";

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
  /** From one pod to the next: each has a square of its own. */
  readonly step: number;
  /** Of a box, above its pods. */
  readonly head: number;
  readonly isSmall: boolean;
  /** The switch that every node's link goes to; null: no room for links of their own, they are bars in the boxes. */
  readonly network: Box | null;
}

export const TOP = 54;
const HEAD = 26;
/** Height of a kube-proxy, and of the lane in which its connections go to the nodes below. */
export const PROXY = 34;
const LANE = 150;
/** Of the links below the nodes, and of the switch that they lead to. */
const LINK = 54;
const SWITCH = 22;
/** Room for two bars at the bottom of a box. */
const BARS = 9;

export function layoutOf(cluster: ClusterModel, width: number): Layout {
  const { nodes } = cluster;
  const hasProxies = nodes.length <= 10 && width / Math.max(1, nodes.length) >= 78;
  const isSmall = nodes.length > 30 || (hasProxies && width / nodes.length < 130);
  const gap = isSmall ? 10 : 26;
  const least = nodes.length > 120 ? 60 : isSmall ? 92 : 190;
  const fitting = Math.max(1, Math.floor((width + gap) / (least + gap)));
  const columns = hasProxies ? Math.max(1, nodes.length) : Math.min(nodes.length, fitting);
  // All on whole pixels: what lies between two is slow to draw, and blurred.
  const boxWidth = Math.floor((width - (columns - 1) * gap) / Math.max(1, columns));
  const radius = nodes.length > 30 ? 3.2 : isSmall ? 5 : 8;
  const step = Math.ceil(radius * 2 + (isSmall ? 2.5 : 7));
  const perRow = Math.max(1, Math.floor((boxWidth - 14) / step));
  const { rows, seatOf } = seatsOf(cluster, perRow);
  const head = isSmall ? 24 : HEAD;
  const boxHeight = head + rows * step + 10 + (hasProxies ? 0 : BARS);
  const top = hasProxies ? TOP + PROXY + LANE : TOP;
  const boxes = nodes.map((_, i) => ({
    x: (i % columns) * (boxWidth + gap),
    y: top + Math.floor(i / columns) * (boxHeight + gap),
    width: boxWidth,
    height: boxHeight,
  }));
  const pods = cluster.pods.map(({ node }, i) => ({
    x: boxes[node]!.x + 7 + step / 2 + (seatOf[i]! % perRow) * step,
    y: boxes[node]!.y + head + step / 2 + Math.floor(seatOf[i]! / perRow) * step,
  }));
  const proxies = hasProxies ? boxes.map((box) => ({ ...box, y: TOP, height: PROXY })) : boxes;
  const lowest = boxes.at(-1);
  const bottom = lowest === undefined ? TOP : lowest.y + lowest.height;
  const network = hasProxies ? { x: 0, y: bottom + LINK, width, height: SWITCH } : null;
  const height = bottom + 6 + (network === null ? 0 : LINK + SWITCH);
  return { width, height, boxes, proxies, hasProxies, pods, radius, step, head, isSmall, network };
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

export type Point = readonly [x: number, y: number];

/** Place of a connection between nodes: a curve by its four points. `from` -1 is outside. */
export function wayOf(
  layout: Layout,
  from: number,
  to: number,
): readonly [Point, Point, Point, Point] {
  return layout.hasProxies ? down(layout, from, to) : across(layout, from, to);
}

/** From a kube-proxy down to a node. */
function down({ boxes, proxies }: Layout, from: number, to: number): ReturnType<typeof wayOf> {
  const target = boxes[to]!;
  const source = proxies[from] ?? { x: 0, y: 0, width: 0, height: TOP };
  // Each in a place of its own, so that no two lie on one another.
  const spread = (box: Box, i: number): number =>
    box.x + (box.width * (i + 1)) / (boxes.length + 1);
  const x1 = spread(source, to);
  const y1 = source.y + source.height;
  const x2 = spread(target, Math.max(0, from));
  const middle = (y1 + target.y) / 2;
  return [
    [x1, y1],
    [x1, middle],
    [x2, middle],
    [x2, target.y],
  ];
}

/** From one node's box to another's, or a loop at its own. */
function across({ boxes, width }: Layout, from: number, to: number): ReturnType<typeof wayOf> {
  const target = boxes[to]!;
  const foot = ({ x, y, width: wide, height }: Box): Point => [x + wide / 2, y + height - 12];
  const end = foot(target);
  if (from === to) {
    const [x, y] = [target.x + target.width - 14, target.y + target.height - 14];
    return [
      [x, y],
      [x - 14, y - 16],
      [x + 14, y - 16],
      [x, y],
    ];
  }
  const source = boxes[from];
  const start: Point = source === undefined ? [width / 2, 36] : foot(source);
  const bend = (from < to ? -0.12 : 0.12) * Math.hypot(end[0] - start[0], end[1] - start[1]);
  const between = (share: number): Point => [
    start[0] + (end[0] - start[0]) * share,
    start[1] + (end[1] - start[1]) * share + bend,
  ];
  return [start, between(1 / 3), between(2 / 3), end];
}
