/** Writes to the API server take several times as long for a while, as with an etcd on a slow disk. */
import type { FaultScheduler } from "./contract.ts";
import { during, type Span } from "./span.ts";

export interface SlowApiSpec extends Span {
  readonly kind: "slowApi";
  readonly factor: number;
}

export const slowApi: FaultScheduler<SlowApiSpec> = (spec, context) => {
  during(context, spec, { kind: spec.kind, object: "apiserver/kube-apiserver" }, () =>
    context.overlaps.scale("api", spec.factor, (product) => context.apiServer.slow(product)),
  );
};
