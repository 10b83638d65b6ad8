/** kubectl patch endpoints: other addresses behind a Service without a selector, for good or for a while. */
import type { Endpoints, EndpointSubset, IpText, ObjectKey } from "../kubernetes/api/types.ts";
import type { FaultScheduler } from "./contract.ts";
import { during, type Span } from "./span.ts";

export interface SetEndpointsSpec extends Span {
  readonly kind: "setEndpoints";
  /** namespace/name of the Endpoints object, which is its Service's. */
  readonly endpoints: ObjectKey;
  readonly addresses: readonly IpText[];
  readonly notReady: readonly IpText[];
}

export const setEndpoints: FaultScheduler<SetEndpointsSpec> = (spec, context) => {
  const { endpoints: key } = spec;
  const object = `endpoints/${key}`;
  const write = (subsetsOf: (stored: Endpoints) => readonly EndpointSubset[]): void =>
    context.api.patch(
      "Endpoints",
      key,
      (stored) => ({ ...stored, subsets: subsetsOf(stored) }),
      (_object, error) => {
        const reason = `${spec.kind}: ${error}`;
        if (error !== null) {
          context.observations.event(context.sim.nowNs, "fault_refused", object, reason);
        }
      },
    );
  during(context, spec, { kind: spec.kind, object }, () => {
    let before: readonly EndpointSubset[] | null = null;
    write(({ subsets }) => {
      before = subsets;
      return [subsetOf(spec, subsets)];
    });
    return () => write(({ subsets }) => before ?? subsets);
  });
};

/** The ports of the first subset stay. */
function subsetOf(
  { addresses, notReady }: SetEndpointsSpec,
  [first]: readonly EndpointSubset[],
): EndpointSubset {
  const plain = (ip: IpText) => ({ ip, nodeName: null });
  return {
    addresses: addresses.map(plain),
    notReadyAddresses: notReady.map(plain),
    ports: first?.ports ?? [],
  };
}
