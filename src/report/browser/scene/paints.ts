/**
 * Colours and shapes of the drawing: what differs in colour differs in shape.
 *
 * Owns: how a pod looks. One that is ready is a disc, one that starts a ring, one that cannot be used a diamond, one
 * that was told to go a cross, a client a square.
 */
import type { PodModel } from "../../model.ts";
import { cssColor } from "../palette.ts";

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
  readonly link: string;
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
    link: cssColor("--ink-soft"),
  };
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
