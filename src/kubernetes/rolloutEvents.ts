/**
 * What events.csv tells of a Deployment's rollout: that it is stuck. Observes only.
 */
import type { SimTimeNs } from "../engine/index.ts";
import type { Observations } from "../observe/observations.ts";
import { objectKey, type Deployment } from "./api/types.ts";
import { TIMED_OUT } from "./controllers/rollout.ts";

export function rolloutEvents(
  observations: Observations,
  nowNs: SimTimeNs,
  previous: Deployment | null,
  now: Deployment | null,
): void {
  if (now === null || now.status.progressing?.reason !== TIMED_OUT) return;
  if (previous?.status.progressing?.reason === TIMED_OUT) return;
  const { updatedReplicas, availableReplicas } = now.status;
  const detail = `${updatedReplicas} updated, ${availableReplicas} available of ${now.spec.replicas}`;
  observations.event(nowNs, "progress_deadline_exceeded", `deployment/${objectKey(now)}`, detail);
}
