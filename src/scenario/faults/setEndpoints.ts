/** setEndpoints(...): other addresses in an Endpoints object that a user keeps. */
import type { z } from "zod";
import type { SetEndpointsSpec } from "../../faults/setEndpoints.ts";
import { faultWord, type FaultTargets, type FaultWord } from "./contract.ts";
import { resolveSpan, spanFields, type SpanInput } from "./span.ts";

export interface SetEndpointsInput extends SpanInput {
  /** Name of an Endpoints object of the manifests, "NAMESPACE/NAME" outside of `default`. */
  endpoints: string;
  /** Its addresses that are ready from now on; its ports stay. */
  addresses?: string[];
  /** Those that are not. */
  notReady?: string[];
}

const endpointsTarget: FaultTargets<{ endpoints: z.ZodType<string> }> = {
  fields: (words) => ({ endpoints: words.text("the name of an Endpoints object", /./) }),
  check: ({ endpoints }, surroundings, mistakes) => {
    surroundings.endpoints(endpoints, mistakes.within(["endpoints"]));
  },
};

/** kubectl patch endpoints; with `for` or `until` the addresses are as they were then. */
export const setEndpoints: FaultWord<"setEndpoints", SetEndpointsInput, SetEndpointsSpec> =
  faultWord("setEndpoints", {
    targets: endpointsTarget,
    options: (words) => ({
      ...spanFields(words),
      addresses: words.list(words.ipAddress).optional(),
      notReady: words.list(words.ipAddress).optional(),
    }),
    resolve({ endpoints, addresses = [], notReady = [], ...written }, surroundings, mistakes) {
      const both = addresses.find((address) => notReady.includes(address));
      if (both !== undefined) {
        mistakes.add(["notReady"], `"${both}", which is in addresses`, "an address in one of both");
      }
      const key = surroundings.endpoints(endpoints);
      const span = resolveSpan(written, mistakes);
      return key === null
        ? null
        : { kind: "setEndpoints", ...span, endpoints: key, addresses, notReady };
    },
  });
