/**
 * Load of each node's link, both ways, at a time.
 *
 * Owns: reading it from the report's tracks, and the busiest of all, which the others are drawn against.
 */
import type { LoadModel } from "../../model.ts";

export interface LinkLoad {
  /** Share of the time in which the node was sending to its link, and the link to the node; -1: not known. */
  readonly out: number;
  readonly in: number;
  /** The longer of both queues. */
  readonly queueP99Ns: number;
  readonly drops: number;
}

export class Links {
  readonly isRecorded: boolean;
  /** Share of the time; of the busiest link at its busiest. */
  readonly most: number;
  readonly #load: LoadModel;

  constructor(load: LoadModel, nodes: number) {
    this.#load = load;
    this.isRecorded = load.tracks.length > 0;
    const cells = nodes * load.bins.startNs.length;
    this.most = load.tracks
      .slice(0, 2)
      .flatMap(({ utilisation }) => utilisation.slice(0, cells))
      .reduce((a, b) => Math.max(a, b), 0);
  }

  at(node: number, bin: number): LinkLoad {
    const { tracks, bins } = this.#load;
    const [out, into] = tracks;
    if (out === undefined || into === undefined)
      return { out: -1, in: -1, queueP99Ns: 0, drops: 0 };
    const cell = node * bins.startNs.length + bin;
    return {
      out: Math.max(0, out.utilisation[cell]!),
      in: Math.max(0, into.utilisation[cell]!),
      queueP99Ns: Math.max(0, out.queueP99Ns[cell]!, into.queueP99Ns[cell]!),
      drops: out.drops[cell]! + into.drops[cell]!,
    };
  }
}
