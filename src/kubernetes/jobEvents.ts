/**
 * What events.csv tells of Jobs: made, ended, taken away. Observes only.
 */
import type { SimTimeNs } from "../engine/index.ts";
import type { Observations } from "../observe/observations.ts";
import { objectKey, type Job } from "./api/types.ts";

export function jobEvents(
  observations: Observations,
  nowNs: SimTimeNs,
  previous: Job | null,
  job: Job | null,
): void {
  const about = (job ?? previous)!;
  const tell = (kind: string, detail = ""): void =>
    observations.event(nowNs, kind, `job/${objectKey(about)}`, detail);
  if (job === null) tell("job_removed");
  else if (previous === null) tell("job_created");
  else if (previous.status.finished !== job.status.finished) {
    tell("job_finished", job.status.finished ?? "");
  }
}
