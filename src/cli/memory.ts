/**
 * A cluster that will not fit is refused before it is built, not in the middle of a run.
 *
 * Owns: what this process and this machine have. Refuses to own: what a cluster takes (scenario/footprint.ts).
 */
import { freemem } from "node:os";
import { getHeapStatistics } from "node:v8";
import { counted } from "../output/index.ts";
import { expectedMemoryBytes, sizesOf, type Sizes } from "../scenario/footprint.ts";
import { optionMistake, UserError } from "../scenario/mistakes.ts";
import type { ResolvedScenario } from "../scenario/resolved.ts";

export interface MemoryLimits {
  /** Of V8's heap: --max-old-space-size. */
  readonly heapBytes: number;
  /** What the machine, or a container, can still give. */
  readonly availableBytes: number;
}

export function memoryLimits(): MemoryLimits {
  // Absent before Node 20.13; containers' limits count in it.
  const available = process.availableMemory?.() ?? freemem();
  return { heapBytes: getHeapStatistics().heap_size_limit, availableBytes: available };
}

/** @throws UserError */
export function checkMemory({ cluster }: ResolvedScenario, limits: MemoryLimits): void {
  const sizes = sizesOf(cluster);
  const bytes = expectedMemoryBytes(sizes);
  const found = `${textOf(sizes)} take about ${gib(bytes)}`;
  if (bytes > limits.availableBytes) {
    const allowed = `${gib(limits.availableBytes)}, which the machine has left: fewer nodes, pods or Services`;
    throw new UserError([optionMistake("cluster", found, allowed)]);
  }
  if (bytes > limits.heapBytes) {
    const enough = Math.ceil((bytes * 1.25) / 2 ** 20 / 1000) * 1000;
    const allowed = `${gib(limits.heapBytes)}, which Node gives this process: NODE_OPTIONS=--max-old-space-size=${enough} gives more`;
    throw new UserError([optionMistake("cluster", found, allowed)]);
  }
}

function textOf({ nodes, pods, services }: Sizes): string {
  return `${counted(nodes, "node")}, ${counted(pods, "pod")} and ${counted(services, "Service")}`;
}

function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
