/** cpu.stat of the containers with a CPU limit, as a run reports it. */
import type { Network } from "../../network/network.ts";
import type { ContainerCpuReport } from "../../observe/report.ts";
import type { Programs } from "../../workload/program.ts";

/** Nothing where no container has one. */
export function containerReports(
  { all }: Programs,
  { hosts }: Network,
): { readonly containers?: readonly ContainerCpuReport[] } {
  const containers = all.flatMap((program): ContainerCpuReport[] => {
    const report = program.cpuReport?.() ?? null;
    if (report === null) return [];
    const [namespace, pod, container = "", restarts] = report.name.split("/");
    const { name: node } = hosts[report.host]!;
    const { limitMillis, stat } = report;
    const of = { pod: `${namespace}/${pod}`, container, restarts: Number(restarts) };
    return [{ ...of, node, limitMillis, ...stat }];
  });
  return containers.length === 0 ? {} : { containers };
}
