/**
 * What an operator of a Docker host does to a container, or what it does to itself, once or again and again.
 *
 * Owns: when. What it leads to is the container's own affair (docker/container.ts).
 */
import { Phase, type DurationNs, type SimTimeNs } from "../engine/index.ts";
import type { DockerContainer } from "../docker/container.ts";
import type { FaultScheduler } from "./contract.ts";
import { EXIT_ABORTED } from "./resetPods.ts";

export interface ResetContainerSpec {
  readonly kind: "resetContainer";
  readonly container: string;
  /** start, stop, kill, restart: as the commands of docker. crash: its process aborts. */
  readonly how: "start" | "stop" | "kill" | "restart" | "crash";
  readonly atNs: SimTimeNs;
  /** Repeats: `times` in all, `everyNs` apart. */
  readonly everyNs: DurationNs;
  readonly times: number;
}

export const resetContainer: FaultScheduler<ResetContainerSpec> = (spec, context) => {
  const { sim, observations, containers } = context;
  const container = containers.get(spec.container)!;
  for (let i = 0; i < spec.times; i++) {
    sim.callAt(spec.atNs + i * spec.everyNs, Phase.start, () => {
      observations.event(sim.nowNs, "container_reset", `container/${spec.container}`, spec.how);
      strike(container, spec.how);
    });
  }
};

function strike(container: DockerContainer, how: ResetContainerSpec["how"]): void {
  if (how === "crash") container.crash(EXIT_ABORTED);
  else container[how]();
}
