/** setImage(...): a Deployment's pods get another image. */
import type { SetImageSpec } from "../../faults/setImage.ts";
import type { Duration } from "../language/scenario.ts";
import { faultWord, type FaultWord } from "./contract.ts";
import { drawDeployment, ROLLOUT_KINDS, workloadTarget } from "./workloadTarget.ts";

export interface SetImageInput {
  /** "deploy/NAME", "sts/NAME" or "ds/NAME". */
  workload: string;
  image: string;
  /** Default: all containers. */
  container?: string;
  at: Duration;
}

/** kubectl set image. */
export const setImage: FaultWord<"setImage", SetImageInput, SetImageSpec> = faultWord("setImage", {
  targets: workloadTarget(...ROLLOUT_KINDS),
  options: ({ duration, labelName, text }) => ({
    at: duration,
    image: text("an image", /./),
    container: labelName.optional(),
  }),
  chaos: (draw) => {
    const drawn = drawDeployment(draw);
    return drawn && { ...drawn, image: `image:${draw.below(3)}` };
  },
  resolve({ at, image, container, ...written }, { workload }) {
    const found = workload(written.workload, ROLLOUT_KINDS);
    return (
      found && { kind: "setImage", workload: found, container: container ?? null, image, atNs: at }
    );
  },
});
