/**
 * The part of the metrics dictionary that tells of containers.
 *
 * Owns: the columns of its file. Refuses to own: its place among the others (metrics.ts).
 */
import type { MetricsFile } from "./metric-words.ts";

export const containerCpuFile: MetricsFile = {
  file: "container_cpu.csv",
  rowPer:
    "run of a container with a CPU limit, as its cgroup's cpu.stat counts; no such file where none has one",
  columns: [
    { name: "pod", unit: "name", meaning: "Pod, as namespace/name." },
    { name: "container", unit: "name", meaning: "Container of the pod." },
    {
      name: "restarts",
      unit: "count",
      meaning: "How often it had been started again before: each run has a row of its own.",
    },
    { name: "node", unit: "name", meaning: "Node that the pod runs on." },
    { name: "limit_millicores", unit: "count", meaning: "limits.cpu, in thousandths of a CPU." },
    { name: "usage_ns", unit: "ns", meaning: "CPU time that it used (usage_usec)." },
    {
      name: "periods",
      unit: "count",
      meaning: "Periods of 100 ms in which it had work, and the idle one after them (nr_periods).",
    },
    {
      name: "throttled_periods",
      unit: "count",
      meaning:
        "Of periods, those at whose end it stood still with its quota used up (nr_throttled).",
    },
    {
      name: "throttled_ns",
      unit: "ns",
      meaning:
        "How long CPUs with work of it stood still, added up over them (throttled_usec): eight threads that wait 50 ms make 400 ms.",
    },
  ],
};
