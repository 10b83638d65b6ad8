/**
 * container_cpu.csv: cpu.stat of every container with a CPU limit.
 *
 * Owns: laying the containers' own counters out as rows. Refuses to own: counting; it observes nothing.
 */
import { columnsOf } from "../metrics.ts";
import type { Recorder, RecordingContext, Row, Table } from "../recorder.ts";
import type { ContainerCpuReport } from "../report.ts";

const file = "container_cpu.csv";

export class ContainerCpu implements Recorder {
  tables({ containers }: RecordingContext): readonly Table[] {
    if (containers === undefined) return [];
    return [{ file, columns: columnsOf(file), rows: containers.map(rowOf) }];
  }
}

function rowOf(report: ContainerCpuReport): Row {
  const { pod, container, restarts, node, limitMillis, usedNs } = report;
  const { periods, throttledPeriods, throttledNs } = report;
  const named = [pod, container, restarts, node, limitMillis];
  return [...named, usedNs, periods, throttledPeriods, throttledNs];
}
